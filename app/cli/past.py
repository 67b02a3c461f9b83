"""What the commands that look into the past have in common: the log, and the time left."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple, TypeVar

import click
from aiokafka.errors import KafkaError
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from headrace.agents.jobs.order import Progress as Told
from headrace.agents.replay import Replay, ReplayError
from headrace.app.cli.screen import Screen
from headrace.app.command import fix_hash_seed
from headrace.app.settings import Settings
from headrace.learning.effects import Effect
from headrace.learning.errors import BrokerError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Task
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka.log import KafkaEventLog
from headrace.tables.kafka.metadata import TopicDescription, find_topics
from headrace.tables.kafka.topics import connect

Result = TypeVar("Result")


class Topics(NamedTuple):
    """What a replay reads."""

    log: KafkaEventLog
    models: KafkaChangelog


async def find_topic(settings: Settings, name: str) -> TopicDescription | None:
    """Look up a topic; None if there is none. Raises BrokerError if the broker is away."""
    admin = await connect(settings.brokers)
    try:
        return (await find_topics(admin, [name])).get(name)
    finally:
        await admin.close()


@contextmanager
def telling_of_broker(settings: Settings) -> Iterator[None]:
    """Raise BrokerError, which says where the broker is, for an error of Kafka or of the network."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"the broker at {settings.brokers} failed: {plain_failure(error)}.",
            "Look at the broker, and try again.",
        ) from None


async def check_log(settings: Settings, task: Task) -> None:
    """Raise ReplayError if a task has no event log; BrokerError if the broker is away."""
    if await find_topic(settings, task.events) is None:
        raise ReplayError(f"there is no topic {task.events} yet.", "A starting worker makes it, and `headrace send`.")


@asynccontextmanager
async def reading(settings: Settings, task: Task) -> AsyncIterator[Topics]:
    """Open the topics of a task, and close them. Raises as `check_log` does."""
    await check_log(settings, task)
    topics = Topics(
        KafkaEventLog(task.events, settings.brokers), KafkaChangelog(f"{task.name}.versions", settings.brokers)
    )
    try:
        yield topics
    finally:
        await topics.models.stop()
        await topics.log.stop()


def look_back(
    settings: Settings, looking: Callable[[Callable[[Told], None]], Coroutine[Any, Any, Result]], what: str
) -> Result:
    """Run what folds a log, with a bar on stderr that shows how far it is. The fold must not depend on the order of sets.

    Raises
    ------
    BrokerError
        The broker failed.
    """
    fix_hash_seed()
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    speed = TextColumn("{task.fields[speed]:,.0f} messages/s")
    console = Screen(stderr=True)
    with Progress(*columns, speed, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=None, speed=0.0)

        def tell(told: Told) -> None:
            progress.update(bar, total=told.total, completed=told.done, speed=told.per_second)

        with telling_of_broker(settings):
            return asyncio.run(looking(tell))


def replay_of(
    settings: Settings,
    task: Task,
    partition: int,
    topics: Topics,
    *,
    tell: Callable[[Told], None],
    observe: Callable[[list[Effect]], None] = lambda _: None,
) -> Replay:
    """Make the replay of a shard; it is not begun yet."""
    return Replay(
        task, partition, topics.log, topics.models, modules=settings.worker.modules, tell=tell, observe=observe
    )


def choose_partition(task: Task, partition: int | None) -> int:
    """The shard that is meant; a usage error if there are several and none is named."""
    if partition is None and task.partitions > 1:
        raise click.UsageError(f"{task.name} has {task.partitions} partitions: say which, with --partition.")
    if partition is not None and partition >= task.partitions:
        raise click.UsageError(f"{task.name} has {task.partitions} partitions, from 0 on.")
    return partition or 0
