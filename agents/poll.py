"""The poll transport: delivers one Faust event for each poll and partition, and bounds the memory of waiting polls.

Faust spends about 100 microseconds on each event, in queues and tasks. A poll brings up to a thousand messages, so they travel
to the agent as one event, a `PollMessage`, and the cost is shared among them.

The private members of Faust 0.15.3 that are used here are pinned by version and covered by `tests/agents/test_poll.py`.
"""

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from time import monotonic
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust import App, Stream
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from headrace.agents.stopping import stop_all
from headrace.learning.plain import plain_error
from headrace.tables.kafka.clients import ISOLATION, find_ended
from headrace.tables.kafka.log import QUIET_SECONDS

log = structlog.get_logger()

CLOSE_SECONDS = 1.5
"""How long the consumer may take to leave the group: a broker that is away does not answer."""


class Backlog:
    """Counts the bytes of polls that wait for the agent, so that the consumer can wait until there is room.

    A poll is counted for as long as it exists. Its room is free again when its last reference is gone, whether the agent has finished the
    poll or Faust has discarded it in a rebalance.

    Examples
    --------
    >>> backlog = Backlog(limit=100)
    >>> poll = Poll([], size=120, backlog=backlog)
    >>> backlog.is_full
    True
    >>> del poll
    >>> backlog.is_full
    False
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.size = 0

    @property
    def is_full(self) -> bool:
        """Say whether the consumer should wait before it fetches more."""
        return self.size >= self.limit


class Poll(list[ConsumerRecord]):
    """The messages of one poll and partition, whose `size` in bytes counts in the backlog while the poll exists."""

    def __init__(self, records: Iterable[ConsumerRecord], size: int, backlog: Backlog):
        super().__init__(records)
        self._size, self._backlog = size, backlog
        backlog.size += size

    def __del__(self) -> None:
        self._backlog.size -= self._size


class PollMessage(ConsumerMessage):
    """Carries the messages of one poll and partition through Faust as one message.

    Parameters
    ----------
    tp
        The topic and the partition.
    batch
        The messages, at least one. Faust sees the last of them, without its value.
    link
        The object that an unbroken run of polls shares: see `OrderedPartition.deliver`.
    generation
        The generation of the consumer group.
    """

    def __init__(self, tp: TP, batch: Poll, link: object, generation: int):
        last = batch[-1]
        super().__init__(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            last.headers,
            last.key,
            b"",
            last.checksum,
            last.serialized_key_size,
            last.serialized_value_size,
            tp,
            generation_id=generation,
        )
        self.batch, self.link = batch, link


async def polls(stream: Stream) -> AsyncIterator[PollMessage]:
    """Yield the polls that an agent receives. Faust acknowledges none of them."""
    async for event in stream.noack().events():
        assert isinstance(event.message, PollMessage)
        yield event.message


class PollThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with committed records only, and commits that cannot end the worker."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads committed records only when its own transactions are on.
        consumer._isolation_level = ISOLATION  # noqa: SLF001
        return consumer

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing. Faust would report a partition as stuck if it has not committed a position of it itself for five minutes.

        Here a shard commits when its snapshot is durable, and `Shard.catch_up` notices a shard whose position does not move. Faust's line,
        "the commit handler background thread has stopped working (report as bug)", appeared under every steady load.
        """

    async def on_thread_stop(self) -> None:
        """Close the consumer in limited time, and raise nothing.

        aiokafka's fetcher raises the CancelledError of a request under way when it closes. That error would end the thread, and Faust would
        wait a minute for it.
        """
        await stop_all([("consumer", super().on_thread_stop())], CLOSE_SECONDS)

    def on_crash(self, msg: str, *fmt: object, **_options: object) -> None:
        """Log the error that ended the thread. Faust prints the error, which raises when nobody reads stderr any more."""
        log.error("the consumer has failed", error=msg.format(*fmt), exc_info=sys.exc_info()[1])

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets; False if the broker refuses them. That is harmless, since a committed offset is only a hint. Faust would end the worker."""
        owned = self.assignment()
        wanted = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(at, "")
            for tp, at in offsets.items()
            if tp in owned
        }
        try:
            await self._ensure_consumer().commit(wanted)
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            log.info("positions were not committed; the snapshots have them", error=plain_error(error))
            return False
        return True


class PollConsumer(driver.Consumer):
    """Yields one Faust message for each poll and partition. `message.batch` has the records, and `message.link` the link to the poll before."""

    app: "PollApp"
    _connections: tuple[object, ...] = ()

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._links: dict[TP, tuple[object, float]] = {}

    def _new_consumer_thread(self) -> PollThread:
        return PollThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Ignore offset gaps. One Faust message stands for a whole poll, so Faust would see a gap in every poll and slow down as it records them.

        Faust keeps gaps in a tree, for acknowledgements that are not used here, and rebuilds the tree at every poll.
        """

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, PollMessage]]:  # noqa: ASYNC109 Faust's signature
        """Fetch when there is room, and yield the messages of each partition as one Faust message."""
        backlog = self.app.backlog
        while backlog.is_full and not self.should_stop:
            await asyncio.sleep(0.005)
        records, active = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        if not self.flow_active:
            await self._seek_back()
            return
        for tp, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                return  # messages that are not handed over are read from the log as a gap
            if active is None or tp in active or tp in self._buffered_partitions:
                size = sum(len(record.value or b"") + len(record.key or b"") for record in batch)
                yield tp, PollMessage(tp, Poll(batch, size, backlog), self._link_of(tp), generation)

    def find_failure(self) -> BaseException | None:
        """Return the error that has ended the client's work for the group, or None. After such an error nothing is assigned or delivered."""
        consumer = self._thread._consumer if self._thread is not None else None  # noqa: SLF001
        return None if consumer is None else find_ended(consumer)

    def _link_of(self, tp: TP) -> object:
        """Return the object that the polls of an unbroken run share.

        A run is unbroken while the connections stay the same and no poll comes later than QUIET_SECONDS after the one before.

        A broker that has lost the end of a log was restarted, and a follower that takes its place is another broker: both need a new
        connection. No topic is deleted, made anew and filled in so short a time. Records that were fetched over a new connection never
        belong to an old run, because the connection is in the client's table before the records arrive.
        """
        connections = tuple(self._thread._ensure_consumer()._client._conns.values())  # noqa: SLF001
        if [*map(id, connections)] != [*map(id, self._connections)]:  # kept, so that no id is used again
            self._connections = connections
            self._links.clear()
        now = monotonic()
        link, polled_at = self._links.get(tp, (None, -math.inf))
        if link is None or now - polled_at > QUIET_SECONDS:
            link = object()
        self._links[tp] = link, now
        return link

    async def _seek_back(self) -> None:
        """Seek back, so that the discarded messages are delivered again.

        If the partition is being revoked, the seek fails, and the next owner reads the messages from the log as a gap.
        """
        try:
            await self.perform_seek()
        except KafkaError as error:
            log.info("could not seek back; the discarded messages are read from the log", error=plain_error(error))


class PollTransport(driver.Transport):
    """Faust's Kafka transport with `PollConsumer`."""

    Consumer = PollConsumer


class NoTables(TableManager):
    """Faust's table manager, for an app that has none of Faust's tables.

    Faust's own waits a second for tables that may still be added, and the app does not join the group before.
    """

    async def on_start(self) -> None:
        """Let the app join the group at once."""
        await self._update_channels()
        await self.recovery.start()


class PollApp(App):
    """A Faust app without tables that consumes with `PollTransport`.

    Attributes
    ----------
    backlog
        Bounds the messages that wait in memory.
    """

    backlog: Backlog

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, TableManager=NoTables, **options)

    def _new_transport(self) -> PollTransport:
        return PollTransport(self.conf.broker_consumer, self)
