"""`headrace replay` and `headrace diff`: any past state, rebuilt from the log, and what two of them have in common."""

import json
from collections.abc import Callable

import click
import msgspec
from rich.table import Table

from headrace.agents.jobs.order import Progress as Told
from headrace.agents.replay import Replay, ReplayError
from headrace.agents.replay.difference import Difference, Observer, Point, Taken, compare, take
from headrace.agents.replay.refill import Filled, fill
from headrace.app.cli.options import as_json, task_of, with_settings
from headrace.app.cli.past import check_log, choose_partition, look_back, reading, replay_of
from headrace.app.cli.places import PLACE, find_position, is_position
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.files.sources import Named, open_source
from headrace.app.settings import Settings
from headrace.learning.snapshot import digest
from headrace.learning.task import Json, Task, Value, fingerprint

SHOWN_MAX = 20
"""Weights and rows that are shown to people; JSON has all."""


@click.command()
@with_settings
@click.argument("task")
@click.option("--to", metavar=PLACE, help="An offset; or ISO 8601, or seconds since the epoch. Otherwise the end.")
@click.option("--partition", type=click.IntRange(0), help="This shard only.")
@click.option("--into", metavar="NEWTASK", help="Fill the log of another task with the records.")
@click.option("--dry-run", is_flag=True, help="With --into: count what would be appended, and append nothing.")
@as_json
def replay(
    settings: Settings,
    task: str,
    *,
    to: str | None,
    partition: int | None,
    into: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Rebuild the state of TASK at any position of its log, or at any time, from the log alone. Nothing is changed.

    A position is the offset of the first message that is not folded; a time is the Kafka timestamp of the last one that is. The digest is
    that of the shard when it stood there.

    With --into NEWTASK nothing is folded: the records, without the control records, go to the log of another task in headrace.toml, by
    their keys and with their times. That is how a task gets another kind or another number of partitions. Begun again, it goes on where it
    stopped.
    """
    wanted = task_of(settings, task)
    if partition is not None:
        choose_partition(wanted, partition)
    if into is not None:
        if to is not None or partition is not None:
            raise click.UsageError("--into takes the whole log: without --to and --partition.")
        _fill(settings, wanted, task_of(settings, into), dry_run=dry_run, as_json=as_json)
        return
    if dry_run:
        raise click.UsageError("--dry-run goes with --into: without it, nothing is changed.")
    if to is not None and is_position(to):
        partition = choose_partition(wanted, partition)
    partitions = range(wanted.partitions) if partition is None else [partition]

    async def rebuild(tell: Callable[[Told], None]) -> list[dict[str, Json]]:
        async with reading(settings, wanted) as topics:
            shards = []
            for number in partitions:
                position = await find_position(topics.log, number, to)
                rebuilt = await replay_of(settings, wanted, number, topics, tell=tell).begin()
                waiting = await rebuilt.to(position)
                shards.append(describe(rebuilt, waiting and f"the {waiting.why} of {waiting.id}"))
            return shards

    shards = look_back(settings, rebuild, f"replay {wanted.name}")
    if as_json:
        say_json({"task": wanted.name, "shards": shards})
        return
    for shard in shards:
        _show(shard)


def describe(rebuilt: Replay, waits_for: str | None) -> dict[str, Json]:
    """Describe a state that was rebuilt, as `GET /v1/{task}` describes a shard, and how fast it was."""
    learner = rebuilt.learner
    described = learner.describe()
    for name, arm in learner.state.arms.items():
        described["arms"][name]["digest"] = arm.digest
    return {
        "partition": rebuilt.partition,
        **described,
        "digest": digest(learner.state),
        "time": learner.state.clock / 1000,
        "definition": fingerprint(learner.state.definition),
        "versions": list(learner.state.versions.saved),
        "waits_for": waits_for,
        "rows": rebuilt.rows,
        "seconds": round(rebuilt.seconds, 3),
        "rows_per_s": round(rebuilt.rows_per_s, 1),
    }


def _show(shard: dict[str, Json]) -> None:
    say(f"shard {shard['partition']} at {shard['position']}", bold=True)
    say(f"  digest   {shard['digest']}")
    say(f"  updates  {shard['updates']:,}")
    say(f"  folded   {shard['rows']:,} rows in {shard['seconds']:.1f} s ({shard['rows_per_s']:,.0f} rows/s)")
    if shard["waits_for"]:
        say(f"  waits here for {shard['waits_for']}: the log does not have it", fg="yellow")
    for name, arm in shard["arms"].items():
        numbers = {metric: value for metric, value in arm["metrics"].items() if not isinstance(value, dict)}
        figures = ", ".join(f"{metric} {_figure(value)}" for metric, value in numbers.items())
        version = f" from {arm['version']}" if arm["version"] else ""
        say(f"  {name}: {arm['model']}{version}, {arm['updates']:,} updates, {figures}")
        say(f"    {arm['digest']}")


@click.command()
@with_settings
@click.argument("task")
@click.argument("a")
@click.argument("b")
@click.option("--partition", type=click.IntRange(0), help="The shard of the positions; a version names its own.")
@click.option("--rows", metavar="FILE", help="Ask both what they predict for these rows: a file as for headrace send.")
@click.option("--label", metavar="COLUMN", help="The column of the label; otherwise that of the settings, or 'label'.")
@as_json
def diff(
    settings: Settings,
    task: str,
    a: str,
    b: str,
    *,
    partition: int | None,
    rows: str | None,
    label: str | None,
    as_json: bool,
) -> None:
    """Compare two positions or versions A and B of TASK: metrics, weights of linear models, and predictions.

    Without --rows they are asked about the last inputs that the later state has seen.
    """
    wanted = task_of(settings, task)
    named = _read_rows(rows, wanted, label)
    points = [_point(wanted, text, partition) for text in (a, b)]

    async def fold(tell: Callable[[Told], None]) -> Difference:
        async with reading(settings, wanted) as topics:
            taken: dict[int, Taken] = {}
            observer, rebuilt = Observer(), None
            for at in sorted((0, 1), key=lambda at: (points[at].partition, points[at].position)):
                point = points[at]
                if rebuilt is None or rebuilt.partition != point.partition:
                    rebuilt = await replay_of(
                        settings, wanted, point.partition, topics, tell=tell, observe=observer.observe
                    ).begin()
                taken[at] = last = await take(rebuilt, point, observer)
            return compare(taken[0], taken[1], last.probes if named is None else named)

    found = look_back(settings, fold, f"diff {wanted.name}")
    if as_json:
        say_json(msgspec.to_builtins(found))
    else:
        _show_difference(found)


def _point(task: Task, text: str, partition: int | None) -> Point:
    """Read one of the two; a usage error where a position could be in several shards."""
    point = Point.parse(text, 0)
    if point.version is not None:
        choose_partition(task, point.partition)
        return point
    return point._replace(partition=choose_partition(task, partition))


def _read_rows(name: str | None, task: Task, label: str | None) -> list[dict[str, Value]] | None:
    """Read the features of the rows in a file; None without one. ReplayError names the first row that is wrong."""
    if name is None:
        return None
    rows = []
    for sample in open_source(name, task, Named(label)).samples:
        if sample.reason:
            raise ReplayError(f"{name}, line {sample.line}: {sample.reason}", "Correct it.")
        record = msgspec.json.decode(sample.value)
        if "features" in record:
            rows.append(record["features"])
    return rows


def _show_difference(found: Difference) -> None:
    console = Screen()
    heads = [f"{past.name} ({past.model})" for past in (found.a, found.b)]
    metrics = Table("", *heads, title="metrics")
    metrics.add_row("updates", f"{found.a.updates:,}", f"{found.b.updates:,}")
    for name in dict.fromkeys([*found.a.metrics, *found.b.metrics]):
        metrics.add_row(name, _figure(found.a.metrics.get(name)), _figure(found.b.metrics.get(name)))
    metrics.add_row("digest", found.a.digest[:16], found.b.digest[:16])
    console.print(metrics)
    if found.weights:
        table = Table("feature", *heads, "change", title=f"weights: {len(found.weights)} differ")
        for name, before, after in found.weights[:SHOWN_MAX]:
            table.add_row(name or "(intercept)", f"{before:.6g}", f"{after:.6g}", f"{after - before:+.6g}")
        console.print(table)
    if found.rows:
        differing = [row for row in found.rows if (row.a, row.a_probability) != (row.b, row.b_probability)]
        table = Table("row", *heads, title=f"predictions: {found.changed} of {len(found.rows)} rows changed")
        for row in sorted(differing, key=lambda row: row.a == row.b)[:SHOWN_MAX]:
            cells = [_answer(row.a, row.a_probability), _answer(row.b, row.b_probability)]
            table.add_row(json.dumps(row.features)[:60], *cells)
        console.print(table)


def _answer(label: Json, probability: float | None) -> str:
    return str(label) if probability is None else f"{label} ({probability:.4f})"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _fill(settings: Settings, old: Task, new: Task, *, dry_run: bool, as_json: bool) -> None:
    """Append the records of one task to the log of another."""

    async def run(tell: Callable[[Told], None]) -> Filled:
        await check_log(settings, old)
        return await fill(settings.brokers, old, new, dry_run=dry_run, tell=tell)

    done: dict[str, Json] = msgspec.to_builtins(look_back(settings, run, f"replay {old.name} into {new.name}"))
    if as_json:
        say_json(done)
        return
    verb = "would be appended" if dry_run else "appended"
    shards = ", ".join(f"{count:,} to {number}" for number, count in enumerate(done["shards"]))
    say(f"{done['appended']:,} records {verb} to {new.events} ({shards}).")
    parts = {
        "known": "were there already",
        "repeated": "stood twice in the old log, from a source",
        "controls": "are control records",
        "unreadable": "are no JSON objects",
    }
    for part, why in parts.items():
        if done[part]:
            say(f"{done[part]:,} {why}, and are left out.")
    if not done["times_kept"]:
        say("The broker has put its own time on them: what waits for labels will wait by that.", fg="yellow", err=True)
