"""`headrace export` and `headrace import`: one version as one file."""

import asyncio
import json
import time
from pathlib import Path

import click
import msgspec
from aiokafka.errors import KafkaError

from headrace.app.cli.client import AnswerError, ask
from headrace.app.cli.control import controlling
from headrace.app.cli.installing import Made, install_made
from headrace.app.cli.options import as_json, task_of, with_settings
from headrace.app.cli.terminal import say, say_json
from headrace.app.settings import Settings
from headrace.learning.errors import BrokerError, PackageError, VersionError
from headrace.learning.near import nearest
from headrace.learning.plain import plain_failure
from headrace.learning.snapshot.package import FILE_MAX, Head, pack, peek, read_model, unpack
from headrace.learning.task import Json, Task
from headrace.learning.versions import Version
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.mirror import write_whole
from headrace.tables.versions import ModelFinder

WAIT_SECONDS = 60.0
"""How long to wait for a model that was saved a moment ago: it is durable with the next snapshot."""

LOOK_SECONDS = 0.5
"""How often to look whether it is there."""


@click.command("export")
@with_settings
@click.argument("task")
@click.argument("version")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
@as_json
def export_version(
    settings: Settings, task: str, version: str, file: Path | None, *, force: bool, dry_run: bool, as_json: bool
) -> None:
    """Write VERSION of TASK to FILE (VERSION.model unless given), for headrace import.

    The file is signed if a snapshot key is configured. Its first line is JSON: head -1 FILE.
    """
    wanted = task_of(settings, task)
    partition, found = find_version(settings, wanted, version)
    path = file or Path(f"{version}.model")
    if path.exists() and not force:
        raise click.UsageError(f"{path} is there already. Name another file, or use --force.")
    if dry_run:
        _say(f"{version} would be written to {path}.", {"file": str(path), "version": found._asdict()}, as_json=as_json)
        return
    encoding = asyncio.run(_find_model(settings, wanted, partition, found))
    data = pack(found, encoding, wanted, partition, settings.snapshot_key())
    try:
        write_whole(path, data)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}.") from None
    head = peek(data)
    signed = "signed" if head.signed else "not signed: there is no snapshot key"
    text = f"{version} was written to {path}: {len(data):,} bytes, digest {head.digest[:16]}, {signed}."
    _say(text, {"file": str(path), "bytes": len(data), "head": msgspec.to_builtins(head)}, as_json=as_json)


@click.command("import")
@controlling
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def import_version(
    settings: Settings, task: str, file: Path, *, partitions: tuple[int, ...], dry_run: bool, as_json: bool
) -> None:
    """Check FILE, a version that headrace export or a mirror has written, and install it in TASK, pinned.

    With a snapshot key only a file that is signed with it is taken. Each shard saves its model as a version before, so that headrace
    rollback goes back.
    """
    wanted = task_of(settings, task)
    package = unpack(read_file(file), settings.snapshot_key())
    read_model(package, wanted)
    head = package.head
    if not as_json:
        say(describe(head))
    made = Made(package.encoding, head.model, head.updates)
    about = {"file": str(file), "head": msgspec.to_builtins(head)}
    install_made(settings, wanted, made, about, partitions=partitions, dry_run=dry_run, as_json=as_json)


def find_version(settings: Settings, task: Task, name: str) -> tuple[int, Version]:
    """Ask a worker for a version of a task, by its id: the shard, and what is known of it.

    Raises
    ------
    AnswerError
        There is no such version, or no worker answers.
    """
    stored = {one["id"]: one for one in ask(settings, "GET", f"/v1/{task.name}/versions")["versions"]}
    if name not in stored:
        hint = nearest(name, stored) or "See headrace versions."
        raise AnswerError(f"there is no version '{name}' of {task.name}.", hint)
    one = stored[name]
    known: dict[str, Json] = {field: one[field] for field in Version._fields if field in one}
    return one["partition"], Version(**known | {"model": one["made_of"], "time": round(one["time"] * 1000)})


def read_file(path: Path) -> bytes:
    """Read a file, unless it is larger than any version."""
    try:
        size = path.stat().st_size
        if size > FILE_MAX:
            raise PackageError(f"{path} has {size:,} bytes, and a version at most {FILE_MAX:,}.", "Name another file.")
        return path.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None


def describe(head: Head) -> str:
    """Say in a line what a file holds.

    Examples
    --------
    >>> nothing = {"sha256": "0" * 64, "packed": 1, "size": 1, "signed": False, "libraries": {}, "position": 7, "time": 0}
    >>> head = Head(task="ads", kind="binary", partition=0, id="v50-0-7", model="alma", updates=50, reason="updates",
    ...             metrics={"accuracy": 0.75}, error=0.25, digest="ab" * 32, **nothing)
    >>> describe(head)
    'v50-0-7 of ads: alma, 50 updates, accuracy 0.7500, digest abababababababab'
    """
    figures = [f", {name} {value:.4f}" for name, value in head.metrics.items() if value is not None]
    model = head.model if isinstance(head.model, str) else json.dumps(head.model)
    return f"{head.id} of {head.task}: {model}, {head.updates} updates{''.join(figures)}, digest {head.digest[:16]}"


def _say(text: str, told: dict[str, Json], *, as_json: bool) -> None:
    say_json(told) if as_json else say(text)


async def _find_model(settings: Settings, task: Task, partition: int, version: Version) -> bytes:
    """Find the model of a version in the topic; one that was saved a moment ago is there with the next snapshot."""
    changelog = KafkaChangelog(f"{task.name}.versions", settings.brokers)
    finder, deadline, is_told = (
        ModelFinder(changelog, partition, version.digest),
        time.monotonic() + WAIT_SECONDS,
        False,
    )
    try:
        while (encoding := await finder.find()) is None:
            if time.monotonic() > deadline:
                what = f"the model of {version.id} is not in {task.name}.versions."
                raise VersionError(what, "See headrace status: does the shard save snapshots?")
            if not is_told:
                say("It was saved a moment ago: waiting for the snapshot that makes it durable.", err=True)
                is_told = True
            await asyncio.sleep(LOOK_SECONDS)
        return encoding
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"the broker at {settings.brokers} failed: {plain_failure(error)}.", "Look at the broker."
        ) from None
    finally:
        await changelog.stop()
