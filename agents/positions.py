"""Keeps the position of each source partition of a task, as offsets of a consumer group without members."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from headrace.learning.errors import LogError
from headrace.learning.records.mark import Mark
from headrace.learning.signing import derive
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka.asker import ANSWER_SECONDS
from headrace.tables.kafka.clients import Brokers, close, close_soon, started

log = structlog.get_logger()

SIGNED = b"\n"
"""Separates a mark, which has no line ends, from its HMAC-SHA256."""

KEEP_SECONDS = 60.0
"""How often a mark is written to `<task>.positions` at most."""


class Start(msgspec.Struct, frozen=True):
    """The start of an intake in a source partition.

    Parameters
    ----------
    position
        The next offset to map: the committed offset, else the offset after the mark, else the first offset of the partition.
    first
        The first offset that the partition still has.
    mark
        The mark of the last message that was mapped, if it is known.
    """

    position: int
    first: int
    mark: Mark | None = None


class Positions:
    """Keeps the next offset to map of each source partition, in Kafka.

    The group `headrace-<task>.sources` belongs to the task, so that its positions do not depend on the group of the workers. It fences
    nobody out: `agents/ingest.py` says why a position that a late worker puts back does no harm. The metadata of each offset holds the mark
    of the last message that was mapped.

    Kafka forgets an offset when its topic is deleted, and when no worker has renewed it for a week. So a mark is also written to
    `<task>.positions` now and then: the mark of any mapped message tells the topic from another one. An offset without metadata was reset by
    hand, and is accepted as it is. The embedded broker keeps no metadata, so every offset is accepted there.

    If there is a snapshot key, the marks in `<task>.positions` are signed with a key derived from it, and marks without such a signature
    are ignored: otherwise anybody who may write to the topic could make the intake skip records.

    Parameters
    ----------
    task
        Names the group.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    key
        The snapshot key, or None.
    """

    def __init__(self, task: str, brokers: Brokers | str, key: bytes | None = None):
        self.group = f"headrace-{task}.sources"
        self._sign_key = None if key is None else derive(key, "positions")
        self.brokers = Brokers.of(brokers)
        self._client: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._asking = asyncio.Lock()
        self._marks = KafkaChangelog(f"{task}.positions", self.brokers)
        self._written_at: dict[TopicPartition, float] = {}

    async def start(self, topic: str, partition: int) -> Start:
        """Look up the start of an intake. TimeoutError (an OSError) if the broker does not answer."""
        place = TopicPartition(topic, partition)
        async with self._request():
            client = await self._connected()
            first = (await client.beginning_offsets([place]))[place]
            if self._admin is None:  # a consumer does not tell the metadata of an offset
                self._admin = await started(self.brokers.admin())
            committed = (await self._admin.list_consumer_group_offsets(self.group, partitions=[place]))[place]
            if committed.offset < 0:
                mark = await self._read_mark(place)
                return Start(first if mark is None else mark.offset + 1, first, mark)
        return Start(committed.offset, first, Mark.parse(committed.metadata))

    async def commit(self, topic: str, partition: int, position: int, mark: Mark | None) -> None:
        """Commit a position, which is durable when this returns. TimeoutError (an OSError) if the broker does not answer."""
        place = TopicPartition(topic, partition)
        async with self._request():
            client = await self._connected()
            client.assign([place])  # a commit needs an assignment; nothing is fetched
            client.pause(place)
            await client.commit({place: OffsetAndMetadata(position, mark.text if mark else "")})
            if mark is not None and perf_counter() - self._written_at.get(place, -KEEP_SECONDS) >= KEEP_SECONDS:
                await self._marks.append(0, _key(place), self._signed(place, mark.text.encode()))
                self._written_at[place] = perf_counter()

    def lost(self, topic: str, partition: int, position: int, first: int) -> LogError:
        """Return the error for records that the source no longer has."""
        return LogError(
            f"{topic}/{partition}: offset {position} must be mapped next, but the topic has only {first} and later.",
            f"Lengthen its retention. To go on without what is gone: {self._reset(topic, partition, '--to-earliest')}; then start the "
            "worker again.",
        )

    def other(self, topic: str, partition: int, position: int, end: int) -> LogError:
        """Return the error for a source that is not the one that was mapped up to `position`."""
        return LogError(
            f"{topic}/{partition} was mapped up to offset {position}, but it ends at {end} and no longer holds the last message that was "
            "mapped: the topic was made anew, or the broker lost its end.",
            "A topic that is made anew needs a name of its own: records are known by their place. If the end was lost: wait until the topic "
            f"has more than {position} again, give up what it has below, {self._reset(topic, partition, f'--to-offset {position}')}, and "
            "start the worker again.",
        )

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self._marks.stop()
        clients = self._client, self._admin
        self._client = self._admin = None
        for client in clients:
            if client is not None:
                await close(client)

    @asynccontextmanager
    async def _request(self) -> AsyncIterator[None]:
        """Allow one request to the broker at a time, in limited time. After a failure the next request has new connections."""
        async with asyncio.timeout(ANSWER_SECONDS), self._asking:
            try:
                yield
            except BaseException:
                for client in (self._client, self._admin):
                    if client is not None:
                        close_soon(client)
                self._client = self._admin = None
                raise

    async def _read_mark(self, place: TopicPartition) -> Mark | None:
        mark = None
        async for entry in self._marks.read(0, 0):
            if entry.key == _key(place):
                text = (entry.value or b"").partition(SIGNED)[0]
                if self._sign_key is None or hmac.compare_digest(entry.value or b"", self._signed(place, text)):
                    mark = Mark.parse(text.decode(errors="replace"))
                else:
                    why = "it is not signed with the snapshot key"
                    log.warning(
                        "a kept position is passed by", source=_key(place).decode(), offset=entry.offset, why=why
                    )
        return mark

    def _signed(self, place: TopicPartition, text: bytes) -> bytes:
        """Return a mark as it is written to the topic, signed if there is a snapshot key."""
        if self._sign_key is None:
            return text
        content = b"%b\0%b\0%b" % (self.group.encode(), _key(place), text)
        return text + SIGNED + hmac.digest(self._sign_key, content, "sha256")

    def _reset(self, topic: str, partition: int, to: str) -> str:
        return (
            f"kafka-consumer-groups.sh --group {self.group} --topic {topic}:{partition} --reset-offsets {to} --execute"
        )

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            self._client = await started(self.brokers.consumer(group_id=self.group))
        return self._client


def _key(place: TopicPartition) -> bytes:
    return f"{place.topic}/{place.partition}".encode()
