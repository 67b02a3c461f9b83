"""The topic watch: notices that a topic of a task was deleted, replaced or given other partitions while the worker runs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from uuid import UUID

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from headrace.agents.pace import Pace
from headrace.learning.errors import TopicError
from headrace.learning.plain import plain_error
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers, started
from headrace.tables.kafka.metadata import TopicDescription, find_topics
from headrace.tables.kafka.topics import Topic, find_miscounted, sources_of, topics_of

log = structlog.get_logger()

ASK_SECONDS = 10.0


class Trouble(msgspec.Struct, frozen=True):
    """Says which topic keeps a task from going on, and why. `topic` is a source of the task, or one of its own topics."""

    task: str
    topic: str
    error: TopicError


class TopicWatch:
    """Looks up the topics of all tasks of a worker regularly, and reports those that were deleted, replaced or resized.

    Kafka does not notify consumers when a topic is deleted: they get no more messages, and after the next rebalance the topic's partitions
    are assigned to nobody. A trouble is reported only if two looks in a row agree.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    tasks
        The tasks of this worker.
    on_trouble
        Called with each trouble after every look that sees it, so repeated calls must be harmless. A shard that was assigned in the meantime
        is stopped by the next call.
    pace
        Says how often the topics are looked up.
    sleep
        Waits for some seconds.
    """

    def __init__(
        self,
        brokers: Brokers | str,
        tasks: Iterable[Task],
        on_trouble: Callable[[Trouble], Awaitable[None]],
        pace: Pace = Pace(),
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        self.brokers, self.tasks, self.on_trouble = Brokers.of(brokers), list(tasks), on_trouble
        self.troubles: dict[tuple[str, str], Trouble] = {}
        """The present troubles, by task and topic."""
        self._pace, self._sleep = pace, sleep
        self._ids: dict[str, UUID | None] = {}
        self._suspected: dict[tuple[str, str], Trouble] = {}
        self._admin: AIOKafkaAdminClient | None = None

    async def run(self) -> None:
        """Look regularly until cancelled. A broker that is away is asked less and less often."""
        pace = self._pace
        wait = pace.look_at_topics
        try:
            while True:
                try:
                    await self.look()
                    wait = pace.confirm_trouble if self._suspected else pace.look_at_topics
                except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
                    log.debug("cannot look at the topics now", error=plain_error(error))
                    wait = min(2 * max(wait, pace.look_at_topics), pace.look_at_topics_max)
                    await self._disconnect()
                await self._sleep(wait)
        finally:
            await self._disconnect()

    async def look(self) -> None:
        """Look once, and call `on_trouble` for each trouble that the look before saw, too."""
        own = {task.name: topics_of(task) for task in self.tasks}
        names = {topic.name for topics in own.values() for topic in topics} | set(sources_of(self.tasks))
        async with asyncio.timeout(ASK_SECONDS):
            if self._admin is None:
                self._admin = await started(self.brokers.admin())
            described = await find_topics(self._admin, names)
        suspected = {(trouble.task, trouble.topic): trouble for trouble in self._find_troubles(own, described)}
        self.troubles = {place: trouble for place, trouble in suspected.items() if place in self._suspected}
        self._suspected = suspected
        for trouble in self.troubles.values():
            try:
                await self.on_trouble(trouble)
            except Exception as error:  # noqa: BLE001 the other troubles must be reported, and this one is reported again
                log.warning("a trouble with a topic was not acted upon", topic=trouble.topic, error=plain_error(error))

    def _find_troubles(
        self, own: Mapping[str, list[Topic]], described: Mapping[str, TopicDescription]
    ) -> Iterable[Trouble]:
        """Compare the described topics with the topics of the tasks, and their ids with those of the first look."""
        ids = {name: topic.id for name, topic in described.items() if not topic.error}
        self._ids = ids | self._ids
        replaced = {name for name, topic_id in ids.items() if topic_id != self._ids[name]}
        for task in self.tasks:
            for topic in own[task.name]:
                if topic.name not in described:
                    yield Trouble(task.name, topic.name, deleted(topic))
                elif topic.name in replaced and topic.is_log:
                    yield Trouble(task.name, topic.name, deleted(topic, anew=True))
            for error in find_miscounted(own[task.name], described):
                yield Trouble(task.name, task.events, error)
            for name in sources_of([task]):
                if name not in described:
                    yield Trouble(task.name, name, source_deleted(name))
                elif name in replaced:
                    yield Trouble(task.name, name, source_deleted(name, anew=True))

    async def _disconnect(self) -> None:
        if self._admin is not None:
            admin, self._admin = self._admin, None
            await admin.close()


def deleted(topic: Topic, *, anew: bool = False) -> TopicError:
    """Return the error for a task's own topic that was deleted while the task ran, and made `anew` if so."""
    what = f"the topic {topic.name} was deleted{' and made anew' if anew else ''} while the task ran."
    if topic.is_log:
        return TopicError(
            what,
            "The records that were folded are gone from it. Restore the log. If a new one was meant: end all workers, delete "
            f"{topic.task}.snapshots and {topic.task}.pending too, and start them.",
        )
    return TopicError(what, "It is made again, empty.")


def source_deleted(name: str, *, anew: bool = False) -> TopicError:
    """Return the error for a source topic that was deleted while a task mapped it, and made `anew` if so."""
    return TopicError(
        f"the source topic {name} was deleted{' and made anew' if anew else ''} while it was mapped.",
        "A topic that is made anew needs a name of its own: records are known by their place. Name the new one as a source, and "
        "restart the workers.",
    )
