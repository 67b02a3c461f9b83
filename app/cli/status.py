"""`headrace status`: where the shards stand."""

import json
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.cli.client import ask
from app.cli.options import as_json, task_of, with_settings
from app.settings import Settings


@click.command()
@with_settings
@click.argument("task", required=False)
@as_json
def status(settings: Settings, task: str | None, as_json: bool) -> None:
    """Show position, updates, digest and metrics of the worker's shards, of one task or of all."""
    names = [task_of(settings, task).name] if task else sorted(settings.tasks)
    told = [ask(settings, "GET", f"/v1/{name}") for name in names]
    if as_json:
        click.echo(json.dumps(told[0] if task else told, indent=2))
        return
    for answer in told:
        Console().print(as_table(answer))


def as_table(answer: dict[str, Any]) -> Table:
    """What `GET /v1/{task}` says, for people: a row a shard, with the arms' metrics and what waits below."""
    table = Table(title=f"{answer['task']} ({answer['kind']})", title_justify="left")
    for column in ("shard", "state", "position", "lag", "updates", "waiting", "quarantined", "digest"):
        table.add_column(column, justify="left" if column in ("state", "digest") else "right", no_wrap=True)
    notes = [f"The task is stopped: {answer['error']}"] if answer.get("error") else []
    for shard in answer["shards"]:
        number = str(shard["partition"])
        if shard.get("error"):
            notes.append(f"shard {number}: {shard['error']}")
        if shard.get("notice"):
            notes.append(f"shard {number}: {shard['notice']}")
        if "position" not in shard:
            table.add_row(number, shard["state"])
            continue
        lag = "?" if shard["end"] is None else str(shard["end"] - shard["position"])
        counts = [str(shard["updates"]), str(shard["questions"]["waiting"]), str(shard["quarantined"])]
        table.add_row(number, shard["state"], str(shard["position"]), lag, *counts, (shard["digest"] or "")[:8])
        for name, arm in shard["arms"].items():
            figures = [f"{metric} {value:.4f}" for metric, value in arm["metrics"].items() if isinstance(value, float)]
            notes.append(f"shard {number}, {name} {arm['model']}: {', '.join(figures) or 'nothing scored yet'}")
        notes += [f"shard {number}, {what}" for what in describe_waiting(shard)]
    notes += describe_sources(answer.get("sources", {}))
    if not answer["shards"]:
        notes.append("This worker knows no shard of the task yet.")
    table.caption, table.caption_justify = Text("\n".join(notes)), "left"
    return table


def describe_sources(sources: dict[str, Any]) -> Iterator[str]:
    """A line on what this worker has brought in from the task's sources, and one each on their partitions.

    Examples
    --------
    >>> partition = {"topic": "orders", "partition": 0, "state": "live", "position": 7, "end": 9, "error": None}
    >>> list(describe_sources({"mapped": 5, "rejected": 2, "partitions": [partition]}))
    ['sources: 5 mapped, 2 rejected', 'source orders/0: live, position 7, lag 2']
    """
    counts = {name: count for name, count in sources.items() if isinstance(count, int)}
    if counts:
        yield "sources: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
    for told in sources.get("partitions", ()):
        lag, error = told["end"] - told["position"], f": {told['error']}" if told["error"] else ""
        yield f"source {told['topic']}/{told['partition']}: {told['state']}, position {told['position']}, lag {lag}{error}"


def describe_waiting(shard: dict[str, Any]) -> Iterator[str]:
    """A line each on questions, on event-time order and on batches, where there are such.

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
