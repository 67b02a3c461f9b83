"""A changelog: the partitioned, compacted Kafka topic that a table writes and reads."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from headrace.learning.errors import ReplacedError
from headrace.tables.kafka.asker import Asker
from headrace.tables.kafka.clients import Brokers, ClientEndedError, close, consuming, fetched, started
from headrace.tables.kafka.producer import LastingProducer

FOLLOW_SECONDS = 1.0
"""How long a follower waits for new entries before it yields an empty list."""

FOLLOW_MAX = 100
"""The most entries that a follower returns at once, so that applying them does not delay requests."""

CHUNK_MAX = 512 * 1024
"""The most bytes of one value. A broker accepts 1 MB; half of it leaves room for keys, headers and a tighter setting."""


class Entry(NamedTuple):
    """One entry of a changelog: a new value for a key, or None to remove it; `time` is Kafka's, in milliseconds since the epoch."""

    offset: int
    key: bytes
    value: bytes | None
    time: int = 0


class Changelog(Protocol):
    """The changelog as a table uses it: `KafkaChangelog` in a worker, a changelog in memory in tests."""

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one entry, wait until all in-sync replicas have it, and return its offset."""
        ...

    def read(self, partition: int, following: int) -> AsyncGenerator[Entry]:
        """Yield the entry at `following - 1`, if it still exists, and the entries from `following` to the end at the time of the call.

        From the first entry the reader can tell whether this is the changelog that it has followed so far.

        Raises
        ------
        ReplacedError
            The changelog ends before `following`.
        """
        ...

    def follow(self, partition: int, start: int) -> AsyncGenerator[list[Entry]]:
        """Yield the entries from offset `start` on, as they come, for ever; yield an empty list now and then while none come.

        Raises
        ------
        OffsetOutOfRangeError
            The topic does not have `start`, or no longer has it.
        """
        ...

    async def stop(self) -> None:
        """Close the connections."""
        ...


class Follower(Protocol):
    """Reads several partitions of a changelog as they grow: `KafkaFollower` in a worker."""

    async def follow(self, starts: Mapping[int, int]) -> None:
        """Follow exactly these partitions, each from an offset on."""
        ...

    async def poll(self, seconds: float) -> dict[int, list[Entry]]:
        """Return the new entries by partition; wait up to so many seconds for the first."""
        ...

    async def stop(self) -> None:
        """Stop following, and close the connection."""
        ...


class KafkaChangelog:
    """A changelog in Kafka.

    Parameters
    ----------
    topic
        A compacted topic.
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self.brokers = Brokers.of(brokers)
        self._producer = LastingProducer(self.brokers, max_request_size=2 * CHUNK_MAX)
        self._asker = Asker(topic, self.brokers)

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one entry, wait until all in-sync replicas have it, and return its offset."""
        written = await self._producer.append(self.topic, value, key=key, partition=partition)
        return written.offset

    async def read(self, partition: int, following: int) -> AsyncGenerator[Entry]:
        """Yield the entry at `following - 1`, if it still exists, and the entries from `following` to the end at the time of the call."""
        shard = TopicPartition(self.topic, partition)
        async with consuming(self.brokers, auto_offset_reset="earliest") as consumer:
            consumer.assign([shard])
            end = (await self._asker.ends([partition]))[partition]
            if end < following:
                what = (
                    f"{self.topic}/{partition} ends at {end}, but was followed up to {following}: it is another topic."
                )
                raise ReplacedError(what, "Its database is emptied and read anew.")
            first = (await consumer.beginning_offsets([shard]))[shard]
            consumer.seek(shard, max(following - 1, first))
            # The position decides when the end is reached, not the last record: compaction leaves offsets without a record.
            while await consumer.position(shard) < end:
                records = (await fetched(consumer, shard, timeout_ms=1000)).get(shard, [])
                if not records and (now := (await self._asker.ends([partition]))[partition]) < end:
                    what = f"{self.topic}/{partition} ended at {end} and now ends at {now}: it is another topic."
                    raise ReplacedError(what, "Its database is emptied and read anew.")
                for record in records:
                    yield Entry(record.offset, record.key or b"", record.value, record.timestamp)

    async def follow(self, partition: int, start: int) -> AsyncGenerator[list[Entry]]:
        """Yield the entries from offset `start` on, as they come, for ever; yield an empty list now and then while none come."""
        follower = KafkaFollower(self.topic, self.brokers)
        try:
            await follower.follow({partition: start})
            while True:
                yield (await follower.poll(FOLLOW_SECONDS)).get(partition, [])
        finally:
            await follower.stop()

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self._producer.stop()
        await self._asker.stop()


class KafkaFollower:
    """Follows a changelog in Kafka with one consumer, which belongs to no group.

    Parameters
    ----------
    topic
        A compacted topic.
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self.brokers = Brokers.of(brokers)
        self._consumer: AIOKafkaConsumer | None = None

    async def follow(self, starts: Mapping[int, int]) -> None:
        """Follow exactly these partitions, each from an offset on."""
        if self._consumer is None:
            # With another setting than "none", a topic that was created again would be followed from its end, and its entries skipped.
            consumer = self.brokers.consumer(auto_offset_reset="none", max_poll_records=FOLLOW_MAX)
            self._consumer = await started(consumer)
        shards = {TopicPartition(self.topic, partition): start for partition, start in starts.items()}
        firsts = await self._consumer.beginning_offsets(list(shards)) if shards else {}
        self._consumer.assign(list(shards))
        for shard, start in shards.items():
            self._consumer.seek(shard, max(start, firsts[shard]))

    async def poll(self, seconds: float) -> dict[int, list[Entry]]:
        """Return the new entries by partition; wait up to so many seconds for the first.

        Raises
        ------
        OffsetOutOfRangeError
            The topic was deleted and created again.
        """
        if self._consumer is None or not self._consumer.assignment():
            await asyncio.sleep(seconds)
            return {}
        try:
            by_shard = await fetched(self._consumer, timeout_ms=int(seconds * 1000))
        except ClientEndedError:
            await self.stop()  # the next call of `follow` makes another consumer
            raise
        return {
            shard.partition: [
                Entry(record.offset, record.key or b"", record.value, record.timestamp) for record in records
            ]
            for shard, records in by_shard.items()
        }

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await close(consumer)
