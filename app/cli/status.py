"""`headrace status`: shows the status of the shards."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from headrace.app.cli.client import ask
from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.screen import Screen, needed_width
from headrace.app.cli.terminal import say_json
from headrace.app.settings import Settings
from headrace.learning.task import Json

COLUMNS = ("shard", "state", "position", "lag", "updates", "waiting", "quarantined", "digest")
FOLDED = ("digest", "quarantined", "waiting", "updates", "lag")
"""The columns that become lines below the table on a narrow terminal, in this order."""

LEFT = ("task", "kind", "state", "shards", "digest")

OVERVIEW = ("task", "kind", "shards", "lag", "updates", "quarantined", "metric")
LESS = ("kind", "updates", "metric", "quarantined", "lag")
"""The columns of the overview that a narrow terminal has no room for, the least important first."""

NAME_WIDTH = 24
WATCH_SECONDS = 2.0

MAIN = ("accuracy", "mae")
"""What is shown of a baseline."""


@click.command()
@asking
@click.argument("task", required=False)
@click.option("--watch", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
@as_json
def status(settings: Settings, task: str | None, *, watch: bool, as_json: bool) -> None:
    """Show position, updates, digest and metrics of the worker's shards of TASK; without TASK, a row for each of several tasks."""
    if watch and as_json:
        raise click.UsageError("--watch is for people. For programs, ask again, or read GET /metrics.")
    names = [task_of(settings, task).name] if task else sorted(settings.tasks)

    def look() -> list[dict[str, Json]]:
        return [ask(settings, "GET", f"/v1/{name}") for name in names]

    def shown(width: int) -> RenderableType:
        return as_table(look()[0], width) if len(names) == 1 else as_overview(look(), width)

    if as_json:
        statuses = look()
        say_json(statuses[0] if task else statuses)
        return
    console = Screen()
    if not watch or not console.is_terminal:
        console.print(shown(console.width))
        return
    with suppress(KeyboardInterrupt), Live(shown(console.width), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(WATCH_SECONDS)
            live.update(shown(console.width), refresh=True)


def as_overview(statuses: Sequence[dict[str, Json]], width: int) -> Group:
    """Format the answers for several tasks: a row for each, and below a line for each thing that somebody should look at.

    Figures are those of all shards that the worker knows; the metric is the champion's accuracy, or its mean absolute error.
    """
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    for answer in statuses:
        name, shards = answer["task"], answer["shards"]
        folded = [shard for shard in shards if "position" in shard]
        states = Counter(shard["state"] for shard in shards)
        known = [shard for shard in folded if shard["end"] is not None]
        arms = (answer.get("overall") or {}).get("arms", {})
        metrics = arms["champion"]["metrics"] if "champion" in arms else {}
        rejected = answer.get("sources", {}).get("rejected", 0)  # of a source, before there was a record
        figure = next((f"{one} {metrics[one]:.4f}" for one in MAIN if isinstance(metrics.get(one), float)), "")
        rows.append(
            {
                "task": name,
                "kind": answer["kind"],
                "shards": ", ".join(f"{count} {state}" for state, count in states.items()) or "none yet",
                "lag": str(sum(max(0, shard["end"] - shard["position"]) for shard in known)) if known else "?",
                "updates": str(sum(shard["updates"] for shard in folded)),
                "quarantined": str(rejected + sum(shard["quarantined"] for shard in folded)),
                "metric": figure,
            }
        )
        if answer.get("error"):
            notes.append(f"{name} is stopped: {answer['error']}")
        notes += [f"{name}, shard {shard['partition']}: {shard['error']}" for shard in shards if shard.get("error")]
        parts = answer.get("sources", {}).get("partitions", ())
        notes += [f"{name}, source {one['topic']}/{one['partition']}: {one['error']}" for one in parts if one["error"]]
    columns = list(OVERVIEW)
    measured = [row | {"task": row["task"][:NAME_WIDTH]} for row in rows]  # a longer name is folded
    for column in LESS:
        if needed_width(_table("", measured, columns)) > width:
            columns.remove(column)
    return Group(_table("", rows, columns), *notes, "headrace status TASK shows the shards, arms and sources of one.")


def as_table(answer: dict[str, Json], width: int) -> Group:
    """Format the answer of `GET /v1/{task}` for a terminal: a row for each shard, and lines on metrics and waiting records below.

    No number is cut. If the terminal has no room for all columns, columns become lines below the table, in the order of `FOLDED`.
    """
    rows: list[dict[str, str]] = []
    notes = [f"The task is stopped: {answer['error']}"] if answer.get("error") else []
    for shard in answer["shards"]:
        number = str(shard["partition"])
        if shard.get("error"):
            notes.append(f"shard {number}: {shard['error']}")
        if shard.get("notice"):
            notes.append(f"shard {number}: {shard['notice']}")
        notes += [f"shard {number}: {what}" for what in describe_control(shard, answer["task"])]
        rows.append({"shard": number, "state": shard["state"]})
        if "position" not in shard:
            continue
        lag = "?" if shard["end"] is None else str(shard["end"] - shard["position"])
        rows[-1] |= {"position": str(shard["position"]), "lag": lag, "updates": str(shard["updates"])}
        rows[-1] |= {"waiting": str(shard["questions"]["waiting"]), "quarantined": str(shard["quarantined"])}
        rows[-1] |= {"digest": (shard["digest"] or "")[:8]}
        notes += [f"shard {number}, {what}" for what in describe_arms(shard["arms"])]
        notes += [f"shard {number}, {what}" for what in describe_waiting(shard)]
    overall = answer.get("overall") or {"shards": []}
    if len(overall["shards"]) > 1:
        roles = {name: arm["role"] for shard in answer["shards"] for name, arm in shard.get("arms", {}).items()}
        shown = {name: arm for name, arm in overall["arms"].items() if roles.get(name) != "baseline"}
        notes += [f"overall, {name}: {_figures(arm['metrics'])}" for name, arm in shown.items()]
    notes += describe_quarantined(answer)
    notes += describe_sources(answer.get("sources", {}))
    if not answer["shards"]:
        notes.append("This worker knows no shard of the task yet.")
    title, folded = f"{answer['task']} ({answer['kind']})", list[str]()
    table = _table(title, rows, COLUMNS)
    while needed_width(table) > width and len(folded) < len(FOLDED):
        folded.append(FOLDED[len(folded)])
        table = _table(title, rows, [column for column in COLUMNS if column not in folded])
    for row in rows if folded else ():
        if line := ", ".join(f"{column} {row[column]}" for column in COLUMNS if column in folded and row.get(column)):
            notes.append(f"shard {row['shard']}: {line}")
    return Group(table, *notes)


def _figures(metrics: dict[str, Json]) -> str:
    figures = [f"{metric} {value:.4f}" for metric, value in metrics.items() if isinstance(value, float)]
    return ", ".join(figures) or "nothing scored yet"


def describe_arms(arms: dict[str, dict[str, Json]]) -> Iterator[str]:
    """A line on each arm with its metrics, and one on all baselines with their accuracy or mean absolute error.

    Examples
    --------
    >>> champion = {"role": "champion", "model": "alma", "metrics": {"accuracy": 0.9, "f1": 0.875}}
    >>> usual = {"role": "baseline", "model": "majority", "metrics": {"accuracy": 0.5, "f1": 0.0}}
    >>> for line in describe_arms({"champion": champion, "majority": usual}):
    ...     print(line)
    champion alma: accuracy 0.9000, f1 0.8750
    baselines: majority accuracy 0.5000
    """
    plain: list[str] = []
    for name, arm in arms.items():
        if arm["role"] != "baseline":
            yield f"{name} {arm['model']}: {_figures(arm['metrics'])}"
        else:
            plain += [f"{name} {metric} {arm['metrics'][metric]:.4f}" for metric in MAIN if arm["metrics"].get(metric)]
    if plain:
        yield f"baselines: {', '.join(plain)}"


def describe_control(shard: dict[str, Json], task: str) -> Iterator[str]:
    """A line each on what the shard waits for, the keys in which the settings differ from the log, the arms that it lacks, and its jobs.

    Examples
    --------
    >>> shard = {"waits": {"for": "outcome", "id": "j7", "seconds": 2.0}, "wanted": {"model": ["alma", "pa"]}}
    >>> for line in describe_control(shard, "ads"):
    ...     print(line)
    waits for the outcome of j7 since 2 s; answers go on
    the worker's settings are not in force: model. See headrace apply ads --dry-run.
    """
    if waits := shard.get("waits"):
        what = f"the outcome of {waits['id']}" if waits["for"] == "outcome" else f"headrace resume {task}"
        yield f"waits for {what} since {waits['seconds']:.0f} s; answers go on"
    if wanted := shard.get("wanted"):
        yield f"the worker's settings are not in force: {', '.join(wanted)}. See headrace apply {task} --dry-run."
    yield from shard.get("absent", {}).values()
    for job in shard.get("jobs", ()):
        left = "" if job["left_s"] is None else f", {job['left_s']:.0f} s left"
        failed = f", attempt {job['attempts']} after: {job['error']}" if job["error"] else ""
        yield f"{job['kind']} {job['id']}: {job['state']}, {job['percent']:g} %{left}{failed}"
    yield from (f"feature {change['text']}" for change in shard.get("changes", ()))
    if what := describe_placement(shard.get("placement")):
        yield f"{what} See headrace doctor."


def describe_quarantined(status: dict[str, Json]) -> Iterator[str]:
    """Yield a line with the refused records by code, if there are any.

    Examples
    --------
    >>> quarantined = {"since": 1767225600.0, "codes": {"label": 3, "feature": 1}}
    >>> list(describe_quarantined({"task": "ads", "quarantined": quarantined}))
    ['quarantined since 2026-01-01 00:00:00 UTC: 3 label, 1 feature. See headrace quarantine ads.']
    """
    quarantined = status.get("quarantined") or {"codes": {}}
    if codes := ", ".join(f"{count} {code}" for code, count in quarantined["codes"].items()):
        since = f"{datetime.fromtimestamp(quarantined['since'], UTC):%Y-%m-%d %H:%M:%S} UTC"
        yield f"quarantined since {since}: {codes}. See headrace quarantine {status['task']}."


def describe_placement(placement: dict[str, Json] | None) -> str:
    """Say how many keys of a shard belong to another one; an empty string if none was found.

    Examples
    --------
    >>> describe_placement({"since": 1767225600.0, "looked_at": 50, "misplaced": 37, "by_crc32": 37})
    '37 of 50 keys looked at since 2026-01-01 00:00:00 UTC belong to another shard.'
    """
    if not placement or not placement["misplaced"]:
        return ""
    since = f"{datetime.fromtimestamp(placement['since'], UTC):%Y-%m-%d %H:%M:%S}"
    return f"{placement['misplaced']} of {placement['looked_at']} keys looked at since {since} UTC belong to another shard."


def _table(title: str, rows: list[dict[str, str]], columns: Sequence[str]) -> Table:
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        side: Literal["left", "right"] = "left" if column in LEFT else "right"
        table.add_column(column, justify=side, no_wrap=column != "task", overflow="fold")
    for row in rows:
        table.add_row(*(row.get(column, "") for column in columns))
    return table


def describe_sources(sources: dict[str, Json]) -> Iterator[str]:
    """Yield a line with the counts of the task's sources on this worker, and a line for each of their partitions.

    Examples
    --------
    >>> partition = {"topic": "orders", "partition": 0, "state": "live", "position": 7, "end": 9, "error": None}
    >>> list(describe_sources({"mapped": 5, "rejected": 2, "partitions": [partition]}))
    ['sources: 5 mapped, 2 rejected', 'source orders/0: live, position 7, lag 2']
    """
    counts = {name: count for name, count in sources.items() if isinstance(count, int)}
    if counts:
        yield "sources: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    for part in sources.get("partitions", ()):
        lag, error = part["end"] - part["position"], f": {part['error']}" if part["error"] else ""
        yield f"source {part['topic']}/{part['partition']}: {part['state']}, position {part['position']}, lag {lag}{error}"


def describe_waiting(shard: dict[str, Json]) -> Iterator[str]:
    """A line each on questions, on event-time order, on batches and on the mirror, where there are such.

    Examples
    --------
    >>> shard = {"questions": {"waiting": 3, "answered": 9, "label_delay_s": {"p50": 1.5, "p99": None}}, "order": {"held": 0}}
    >>> list(describe_waiting(shard))
    ['questions: 3 waiting, 9 answered', 'label delay: p50 1.5 s']
    """
    for part in ("questions", "order", "batch"):
        counts = {name: count for name, count in shard.get(part, {}).items() if isinstance(count, int)}
        if any(counts.values()):
            yield f"{part}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    delays = [f"{name} {delay:g} s" for name, delay in shard["questions"]["label_delay_s"].items() if delay is not None]
    if delays:
        yield f"label delay: {', '.join(delays)}"
    if mirror := shard.get("mirror"):
        error = f"; the last copy failed: {mirror['error']}" if mirror["error"] else ""
        yield f"mirror: {mirror['copied']} copied, {mirror['waiting']} waiting, {mirror['missed']} missed{error}"
