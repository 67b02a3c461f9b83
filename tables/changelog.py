"""A changelog: one partitioned, compacted Kafka topic, as a table writes and reads it."""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition

from tables.kafka import Brokers
from tables.producer import start_producer

CHUNK_MAX = 512 * 1024
"""Bytes in one record. A broker takes 1 MB; half of it leaves room for keys, headers and a tighter setting."""


class Entry(NamedTuple):
    """One change: a value for a key, or None for its removal."""

    offset: int
    key: bytes
    value: bytes | None


class Changelog(Protocol):
    """What a table needs of a log. Kafka's is below; tests have one that stops at any step."""

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one change; the offset, once the broker has it on all in-sync replicas."""
        ...

    def read(self, partition: int, start: int) -> AsyncIterator[Entry]:
        """The entries from offset `start` to the end as it stands at the call."""
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
        self._producer: AIOKafkaProducer | None = None

    async def append(self, partition: int, key: bytes, value: bytes | None) -> int:
        """Append one change; the offset, once the broker has it on all in-sync replicas."""
        if self._producer is None:
            self._producer = await start_producer(self.brokers, max_request_size=2 * CHUNK_MAX)
        written = await self._producer.send_and_wait(self.topic, value, key=key, partition=partition)
        return int(written.offset)

    async def read(self, partition: int, start: int) -> AsyncIterator[Entry]:
        """The entries from offset `start` to the end as it stands at the call."""
        shard = TopicPartition(self.topic, partition)
        async with self.brokers.consumer() as consumer:
            consumer.assign([shard])
            end = (await consumer.end_offsets([shard]))[shard]
            if start >= end:
                return
            first = (await consumer.beginning_offsets([shard]))[shard]
            consumer.seek(shard, max(start, first))
            # The position, not the last record, says when the end is reached: compaction leaves offsets without a record.
            while await consumer.position(shard) < end:
                for record in (await consumer.getmany(shard, timeout_ms=1000)).get(shard, []):
                    yield Entry(record.offset, record.key or b"", record.value)

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()
