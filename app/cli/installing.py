"""Has a model that was made outside the log installed: its bytes first, then the control record that names them."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from secrets import token_hex
from typing import NamedTuple

import click
from aiokafka.errors import KafkaError

from headrace.app.cli.control import send_control
from headrace.app.settings import Settings
from headrace.learning.errors import BrokerError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Json, Task, Value
from headrace.tables.changelog import Changelog, KafkaChangelog
from headrace.tables.kafka.topics import prepare, topics_of
from headrace.tables.versions import entries, made_for


class Made(NamedTuple):
    """A model that is to be installed: its encoding, what it was made of, and the labels that it has learned."""

    encoding: bytes
    made_of: str | dict[str, Value]
    updates: int

    @property
    def digest(self) -> str:
        """SHA-256 of the encoding, as hex."""
        return hashlib.sha256(self.encoding).hexdigest()


def shards_of(task: Task, partitions: tuple[int, ...]) -> list[int]:
    """Give the shards that are meant: those named, or all; a usage error if there is no such shard.

    Examples
    --------
    >>> shards_of(Task(name="ads", kind="binary", partitions=3), ()), shards_of(Task(name="ads", kind="binary"), (0, 0))
    ([0, 1, 2], [0])
    """
    if strange := [at for at in partitions if at >= task.partitions]:
        raise click.UsageError(f"there is no partition {strange[0]}: the task '{task.name}' has {task.partitions}.")
    return sorted(set(partitions)) or list(range(task.partitions))


def install_made(
    settings: Settings,
    task: Task,
    made: Made,
    about: Mapping[str, Json],
    *,
    partitions: tuple[int, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a model to `<task>.versions`, and append its pinned `install` to every shard, or to those that are named.

    A shard reads the topic to its end before it folds such a record, so the model is there for whoever comes to the record. A model without
    its record does no harm: nothing names it.
    """
    shards, name = shards_of(task, partitions), f"install-{token_hex(8)}"
    record: dict[str, Json] = {
        "control": "install",
        "id": name,
        "artefact": f"sha256:{made.digest}",
        "model": made.made_of,
        "updates": made.updates,
        "pin": True,
    }
    if not dry_run:
        asyncio.run(_write(settings, task, made, shards, name))
    send_control(settings, task, record, partitions=partitions, dry_run=dry_run, as_json=as_json, about=about)


async def _write(settings: Settings, task: Task, made: Made, shards: Iterable[int], name: str) -> None:
    await prepare(settings.brokers, topics_of(task))
    changelog = KafkaChangelog(f"{task.name}.versions", settings.brokers)
    try:
        await write_model(changelog, made, shards, name)
    except (KafkaError, OSError) as error:
        what = f"the broker at {settings.brokers} failed: {plain_failure(error)}. Nothing is installed."
        raise BrokerError(what, "Look at the broker, and try again.") from None
    finally:
        await changelog.stop()


async def write_model(changelog: Changelog, made: Made, shards: Iterable[int], name: str) -> None:
    """Write a model to the topic of the versions, for the `install` of an id in each of some shards; it is durable when this returns."""
    for partition in shards:
        for key, value in entries(made.digest, made.encoding, position=0, origin=made_for(name)):
            await changelog.append(partition, key, value)
