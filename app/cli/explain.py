"""`headrace explain`: the life of a prediction."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import click
import msgspec
from msgspec import UNSET
from rich.table import Table

from headrace.agents.jobs.order import Progress as Told
from headrace.agents.replay import ReplayError
from headrace.agents.replay.life import Life, LifeFold, Look, Trace, find_traces
from headrace.app.cli.options import as_json, task_of, with_settings
from headrace.app.cli.past import Topics, choose_partition, look_back, reading, replay_of
from headrace.app.cli.screen import Screen
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.explain import LinearExplanation
from headrace.learning.task import Json, Task


@click.command()
@with_settings
@click.argument("task")
@click.argument("identity", metavar="ID")
@click.option("--partition", type=click.IntRange(0), help="Look in this shard only.")
@as_json
def explain(settings: Settings, task: str, identity: str, *, partition: int | None, as_json: bool) -> None:
    """Tell the life of the prediction ID of TASK: what was asked, served and why, its label, and what was learned.

    The event log is read for it, and folded from its beginning up to the end of the question.
    """
    wanted = task_of(settings, task)
    partitions = range(wanted.partitions) if partition is None else [choose_partition(wanted, partition)]

    async def look(tell: Callable[[Told], None]) -> Life:
        async with reading(settings, wanted) as topics:
            return await find_life(settings, wanted, topics, identity, list(partitions), tell=tell)

    life = look_back(settings, look, f"explain {identity}")
    if as_json:
        say_json(msgspec.to_builtins(life))
    else:
        _show(life)


async def find_life(
    settings: Settings,
    task: Task,
    topics: Topics,
    identity: str,
    partitions: list[int],
    *,
    tell: Callable[[Told], None],
) -> Life:
    """Find the records of an id, and fold the shard that has its features past them."""
    traces: dict[int, list[Trace]] = {}
    for partition in partitions:
        found = [trace async for trace in find_traces(topics.log, partition, identity)]
        if found:
            traces[partition] = found
    if not traces:
        raise ReplayError(
            f"the log of {task.name} has no record with the id '{identity}'.",
            "Records have the id that they were sent with.",
        )
    asked = [number for number in traces if any(trace.kind != "label" for trace in traces[number])]
    chosen = asked[0] if asked else next(iter(traces))
    fold = LifeFold(traces[chosen])
    published = msgspec.structs.replace(
        task, predictions=True
    )  # the fold tells of the end of questions, and is no other
    life = await fold.follow(
        await replay_of(settings, published, chosen, topics, tell=tell, observe=fold.observe).begin()
    )
    return msgspec.structs.replace(life, elsewhere=[number for number in traces if number != chosen])


def _show(life: Life) -> None:
    console = Screen()
    when = f"{datetime.fromtimestamp(life.time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    say(f"{life.kind} {life.id}: shard {life.partition}, position {life.position}, row {life.row}, {when}", bold=True)
    say(f"features  {json.dumps(life.features)}")
    if life.served is not None:
        say(f"served    {_value(life.served.prediction)} by {life.served.arm} at position {life.served.position}")
        if life.served.rebuilt is not None:
            say(f"rebuilt   {_say(life.served.rebuilt)}")
    for look in life.scored:
        say(f"scored    {_say(look)}")
    champion = next((look for look in life.scored if look.arm == "champion"), None)
    if champion is not None:
        _show_why(console, champion)
    say(f"state     {life.state}")
    if life.answer is not None:
        label = f"label {_value(life.answer.label)}" if life.answer.label is not None else "no label"
        place = "" if life.answer.position is None else f" at position {life.answer.position}"
        say(f"answer    {label} ({life.answer.how}) after {life.answer.delay_s:g} s{place}")
    if life.learned is not None:
        before, after = (_chance(look, life.learned.label) for look in (life.learned.before, life.learned.after))
        what = "the features" if life.learned.label is None else _value(life.learned.label)
        say(f"learned   {what}: for the same features {before} before, {after} after")
    for refusal in life.refusals:
        say(f"refused   position {refusal.position}, row {refusal.row}: {refusal.code}: {refusal.reason}", fg="yellow")
    if life.elsewhere:
        say(f"elsewhere records of this id are in the shards {life.elsewhere}, and do not reach this one", fg="yellow")


def _show_why(console: Screen, look: Look) -> None:
    if isinstance(look.why, LinearExplanation):
        of = "" if look.why.label is None else f" of {look.why.label}"
        table = Table("feature", "value", "weight", "adds", title=f"score{of}: {look.why.score:.6g}")
        for part in look.why.contributions:
            table.add_row(part.feature, f"{part.value:.6g}", f"{part.weight:.6g}", f"{part.contribution:+.6g}")
        table.add_row("(intercept)", "", "", f"{look.why.intercept:+.6g}")
        console.print(table)
    elif look.why is not None:
        for step in look.why.path:
            say(f"          {step.taken} (it has {_value(step.value)})")
        seen = ", ".join(f"{label} {count:g}" for label, count in look.why.seen.items())
        say(f"          leaf of {look.why.weight:g} records{': ' + seen if seen else ''}")


def _say(look: Look) -> str:
    version = f" from {look.version}" if look.version else ""
    return f"{_value(look.prediction)} by {look.arm} ({look.model}{version}, {look.updates:,} updates){_share(look)}"


def _share(look: Look) -> str:
    if look.score is not UNSET and look.score != look.prediction:
        return f", score {look.score:.4f}"
    if not look.probabilities:
        return ""
    return f", {_value(look.prediction)} with {max(look.probabilities.values()):.4f}"


def _chance(look: Look, label: Json) -> str:
    """What a look gives to a label: its probability, or the number predicted."""
    if look.score is not UNSET:
        return f"{look.score:.4f}"
    if look.probabilities is None:
        return _value(look.prediction)
    return f"{look.probabilities.get(_value(label), 0.0):.4f}"


def _value(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
