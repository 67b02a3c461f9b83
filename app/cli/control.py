"""`headrace checkpoint`, `pin`, `rollback`, `promote`, `pause`, `resume` and `react`: control records from the command line."""

import getpass
import sys
from collections.abc import Callable, Mapping

import click

from headrace.app.cli.client import ask
from headrace.app.cli.options import as_json, task_of, with_settings
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.task import Json, Task
from headrace.learning.versions import shard_of

WAIT_SECONDS = 30.0
"""How long to wait for the shards."""

Function = Callable[..., object]


def controlling(function: Function) -> Function:
    """Add what every command that controls a task takes: the task, shards, a dry run, and JSON."""
    parts = click.option(
        "--partition", "partitions", type=click.IntRange(0), multiple=True, help="This shard only; may be repeated."
    )
    dry = click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
    return with_settings(click.argument("task")(parts(dry(as_json(function)))))


def acting(function: Function) -> Function:
    """Add what every command takes that sends one control record: that of `controlling`, and the record's id."""
    record_id = click.option(
        "--id",
        "record_id",
        metavar="ID",
        help="An id of yours: repeated with the same one, the command takes effect once.",
    )
    return controlling(record_id(function))


def send_control(
    settings: Settings,
    task: Task,
    record: dict[str, Json],
    *,
    partitions: tuple[int, ...] = (),
    record_id: str | None = None,
    dry_run: bool = False,
    as_json: bool = False,
    about: Mapping[str, Json] | None = None,
) -> None:
    """Append a control record, say what every shard did, and end with 1 where one has refused or has not come to it yet.

    `about` is what else the JSON of a command says.
    """
    if record_id is not None:
        record = record | {"id": record_id}
    if dry_run:
        body = _signed(record, partitions)
        say_json(body if about is None else {**about, "record": body})
        return
    answer = append_control(settings, task, record, partitions)
    tell(answer, as_json=as_json, about=about)
    sys.exit(lacking(answer) is not None)


def append_control(
    settings: Settings, task: Task, record: dict[str, Json], partitions: tuple[int, ...] = ()
) -> dict[str, Json]:
    """Append a control record, and return the worker's answer once every shard has come to it, or the time is up."""
    body = _signed(record, partitions) | {"wait_s": WAIT_SECONDS}
    return ask(settings, "POST", f"/v1/{task.name}/control", body, timeout=WAIT_SECONDS + 10)


def tell(answer: dict[str, Json], *, as_json: bool, about: Mapping[str, Json] | None = None) -> None:
    """Say what every shard did with a control record."""
    if as_json:
        say_json({**(about or {}), **answer})
        return
    for shard in answer["shards"]:
        say(f"shard {shard['partition']}: {shard['did'] or 'has not come to it yet; see headrace status'}")


def lacking(answer: dict[str, Json]) -> dict[str, Json] | None:
    """Find a shard that has refused a control record, or else one that has not come to it yet; None if all have carried it out.

    Examples
    --------
    >>> late, refused = {"partition": 0, "did": None}, {"partition": 1, "did": "refused: no such version"}
    >>> lacking({"shards": [late, refused]}), lacking({"shards": [{"partition": 0, "did": "paused"}]})
    ({'partition': 1, 'did': 'refused: no such version'}, None)
    """
    shards: list[dict[str, Json]] = [
        shard for shard in answer["shards"] if not shard["did"] or shard["did"].startswith("refused")
    ]
    return min(shards, key=lambda shard: not shard["did"], default=None)


def _signed(record: dict[str, Json], partitions: tuple[int, ...]) -> dict[str, Json]:
    """Add who sends a record, and to which shards if not to all."""
    body = {**record, "by": record.get("by") or f"{getpass.getuser()}, by headrace {record['control']}"}
    return body | {"partitions": list(partitions)} if partitions else body


@click.command()
@acting
@click.option("--pin", "pinned", is_flag=True, help="Keep the version for good.")
def checkpoint(settings: Settings, task: str, *, pinned: bool, **options: Json) -> None:
    """Save the model of TASK as a version now."""
    send_control(settings, task_of(settings, task), {"control": "checkpoint", "pin": pinned}, **options)


@click.command()
@acting
@click.argument("version")
@click.option("--off", is_flag=True, help="Keep it no longer.")
def pin(
    settings: Settings, task: str, version: str, *, off: bool, partitions: tuple[int, ...], **options: Json
) -> None:
    """Keep VERSION of TASK for good, or with --off no longer than others."""
    record = {"control": "pin", "version": version, "pinned": not off}
    send_control(settings, task_of(settings, task), record, partitions=partitions or partitions_of(version), **options)


@click.command()
@acting
@click.argument("to", default="previous", metavar="[VERSION|previous|best|last_good]")
def rollback(settings: Settings, task: str, to: str, partitions: tuple[int, ...], **options: Json) -> None:
    """Go back to a saved model of TASK; learning goes on from there.

    A version is one shard's, and only that shard goes back to it. previous, best and last_good are found in every shard.
    """
    record = {"control": "rollback", "to": to}
    send_control(settings, task_of(settings, task), record, partitions=partitions or partitions_of(to), **options)


@click.command()
@acting
@click.argument("arm", default="next")
def promote(settings: Settings, task: str, arm: str, **options: Json) -> None:
    """Serve the challenger ARM of TASK (next unless given)."""
    send_control(settings, task_of(settings, task), {"control": "promote", "arm": arm}, **options)


@click.command()
@acting
def pause(settings: Settings, task: str, **options: Json) -> None:
    """Have TASK learn nothing more until it is resumed. It goes on to answer; records wait in the log, and none is lost."""
    send_control(settings, task_of(settings, task), {"control": "pause"}, **options)


@click.command()
@acting
def resume(settings: Settings, task: str, **options: Json) -> None:
    """Have TASK go on to learn, from where it was paused."""
    send_control(settings, task_of(settings, task), {"control": "resume"}, **options)


@click.command()
@acting
@click.argument("signal")
def react(settings: Settings, task: str, signal: str, partitions: tuple[int, ...], **options: Json) -> None:
    """Carry out the reaction that was recommended for SIGNAL of TASK; `headrace drift TASK` lists the signals."""
    record = {"control": "react", "signal": signal}
    parts = signal.split("/")
    shard = (int(parts[1]),) if len(parts) > 1 and parts[1].isdigit() else ()
    send_control(settings, task_of(settings, task), record, partitions=partitions or shard, **options)


def partitions_of(version: str) -> tuple[int, ...]:
    """Give the shard of a version's id, by itself; empty for what is no id.

    Examples
    --------
    >>> partitions_of("v500-2-1234"), partitions_of("best")
    ((2,), ())
    """
    shard = shard_of(version)
    return () if shard is None else (shard,)
