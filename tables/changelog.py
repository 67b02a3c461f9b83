"""A changelog: one partitioned, compacted Kafka topic, as a table writes and reads it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tables.producer import start_producer

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

    def read(self, partition: int, start: int) -> AsyncIterator[Entry]:
        """The entries from offset `start` to the end as it stands at the call."""
        ...

    def follow(self, partition: int, start: int) -> AsyncIterator[list[Entry]]:
        """The entries from offset `start` on, as they come, for ever; an empty list every so often when nothing comes.

        Raises when the topic does not have `start`, or not any more.
        """
        ...

    async def stop(self) -> None:
        """Close the connection to where it is."""
        ...


class KafkaChangelog:
    """A changelog in Kafka.

    Parameters
    ----------
    topic
        A compacted topic.
    brokers
        `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: str):
        self.topic = topic
        self.brokers = brokers
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one change; the offset, once the broker has it on all in-sync replicas."""
        async with self._starting:
            if self._producer is None:
                self._producer = await start_producer(self.brokers, max_request_size=2 * CHUNK_MAX)
        written = await self._producer.send_and_wait(self.topic, value, key=key, partition=partition)
        return int(written.offset)

    async def read(self, partition: int, start: int) -> AsyncIterator[Entry]:
        """The entries from offset `start` to the end as it stands at the call."""
        shard = TopicPartition(self.topic, partition)
        async with self._consumer() as consumer:
            consumer.assign([shard])
            end = (await consumer.end_offsets([shard]))[shard]
            if start >= end:
                return
            first = (await consumer.beginning_offsets([shard]))[shard]
            consumer.seek(shard, max(start, first))
            # The position, not the last record, says when the end is reached: compaction leaves offsets without a record.
            while await consumer.position(shard) < end:
                for record in (await consumer.getmany(shard, timeout_ms=1000)).get(shard, []):
                    yield Entry(record.offset, record.key or b"", record.value, record.timestamp)

    async def follow(self, partition: int, start: int) -> AsyncIterator[list[Entry]]:
        """The entries from offset `start` on, as they come, for ever; an empty list every so often when nothing comes."""
        shard = TopicPartition(self.topic, partition)
        # Without "none" a topic that was made anew would be followed from its end, and what it holds passed over.
        async with self._consumer(auto_offset_reset="none", max_poll_records=FOLLOW_MAX) as consumer:
            consumer.assign([shard])
            consumer.seek(shard, max(start, (await consumer.beginning_offsets([shard]))[shard]))
            while True:
                found = (await consumer.getmany(shard, timeout_ms=int(1000 * FOLLOW_SECONDS))).get(shard, [])
                yield [Entry(record.offset, record.key or b"", record.value, record.timestamp) for record in found]

    def _consumer(self, **options: Any) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(bootstrap_servers=self.brokers, enable_auto_commit=False, **options)

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()
