"""A changelog: one partitioned, compacted Kafka topic, as a table writes and reads it."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from headrace.learning.errors import ReplacedError
from headrace.tables.kafka.asker import Asker
from headrace.tables.kafka.clients import Brokers, ClientEndedError, close, consuming, fetched, started
from headrace.tables.kafka.producer import LastingProducer

FOLLOW_SECONDS = 1.0
"""How long a follower waits for something new before it hands over that there is nothing."""

FOLLOW_MAX = 100
"""Entries that a follower hands over at once: what is done with them must not keep requests waiting."""

CHUNK_MAX = 512 * 1024
"""Bytes in one record. A broker takes 1 MB; half of it leaves room for keys, headers and a tighter setting."""


class Entry(NamedTuple):
    """One change: a value for a key, or None for its removal; `time` is Kafka's, in milliseconds since the epoch."""

    offset: int
    key: bytes
    value: bytes | None
    time: int = 0


class Changelog(Protocol):
    """What a table needs of a log. Kafka's is below; tests have one that stops at any step."""

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one change; the offset, once the broker has it on all in-sync replicas."""
        ...

    def read(self, partition: int, following: int) -> AsyncGenerator[Entry]:
        """The entry at `following - 1`, if it is still there, and those from `following` to the end as it stands at the call.

        By the first one the reader can tell whether this is the changelog that it has followed so far. Raises ReplacedError when the changelog ends before `following`.
        """
        ...

    def follow(self, partition: int, start: int) -> AsyncGenerator[list[Entry]]:
        """The entries from offset `start` on, as they come, for ever; an empty list every so often when nothing comes.

        Raises when the topic does not have `start`, or not any more.
        """
        ...

    async def stop(self) -> None:
        """Close the connection to where it is."""
        ...


class Follower(Protocol):
    """Reads several partitions of a changelog on and on. Kafka's is below."""

    async def follow(self, starts: Mapping[int, int]) -> None:
        """Follow these partitions and no others, each from an offset on."""
        ...

    async def poll(self, seconds: float) -> dict[int, list[Entry]]:
        """What has come, by partition; waits up to so many seconds for something."""
        ...

    async def stop(self) -> None:
        """Follow nothing any more."""
        ...


class KafkaChangelog:
    """A changelog in Kafka.

    Parameters
    ----------
    topic
        A compacted topic.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self.brokers = Brokers.of(brokers)
        self._producer = LastingProducer(self.brokers, max_request_size=2 * CHUNK_MAX)
        self._asker = Asker(topic, self.brokers)

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one change; the offset, once the broker has it on all in-sync replicas."""
        written = await self._producer.append(self.topic, value, key=key, partition=partition)
        return int(written.offset)

    async def read(self, partition: int, following: int) -> AsyncGenerator[Entry]:
        """The entry at `following - 1`, if it is still there, and those from `following` to the end as it stands at the call."""
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
            # The position, not the last record, says when the end is reached: compaction leaves offsets without a record.
            while await consumer.position(shard) < end:
                found = (await fetched(consumer, shard, timeout_ms=1000)).get(shard, [])
                if not found and (now := (await self._asker.ends([partition]))[partition]) < end:
                    what = f"{self.topic}/{partition} ended at {end} and now ends at {now}: it is another topic."
                    raise ReplacedError(what, "Its database is emptied and read anew.")
                for record in found:
                    yield Entry(record.offset, record.key or b"", record.value, record.timestamp)

    async def follow(self, partition: int, start: int) -> AsyncGenerator[list[Entry]]:
        """The entries from offset `start` on, as they come, for ever; an empty list every so often when nothing comes."""
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
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self.brokers = Brokers.of(brokers)
        self._consumer: AIOKafkaConsumer | None = None

    async def follow(self, starts: Mapping[int, int]) -> None:
        """Follow these partitions and no others, each from an offset on."""
        if self._consumer is None:
            # Without "none" a topic that was made anew would be followed from its end, and what it holds passed over.
            consumer = self.brokers.consumer(auto_offset_reset="none", max_poll_records=FOLLOW_MAX)
            self._consumer = await started(consumer)
        shards = {TopicPartition(self.topic, partition): start for partition, start in starts.items()}
        firsts = await self._consumer.beginning_offsets(list(shards)) if shards else {}
        self._consumer.assign(list(shards))
        for shard, start in shards.items():
            self._consumer.seek(shard, max(start, firsts[shard]))

    async def poll(self, seconds: float) -> dict[int, list[Entry]]:
        """What has come, by partition; waits up to so many seconds. OffsetOutOfRangeError when the topic was made anew."""
        if self._consumer is None or not self._consumer.assignment():
            await asyncio.sleep(seconds)
            return {}
        try:
            found = await fetched(self._consumer, timeout_ms=int(seconds * 1000))
        except ClientEndedError:
            await self.stop()  # whoever follows again does so with another one
            raise
        return {
            shard.partition: [
                Entry(record.offset, record.key or b"", record.value, record.timestamp) for record in records
            ]
            for shard, records in found.items()
        }

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await close(consumer)
