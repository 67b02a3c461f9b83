"""The event log as a reader without a group: what Faust left out is read here, and the log's end is asked here."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from learning.errors import LogError
from learning.learner import Message
from tables.kafka import Brokers, started
from tables.producer import LastingProducer

EMBEDDED_CLUSTER = "headrace-embedded"
"""The cluster id of the embedded broker. Asked for the end of a log, it tells that of the first record of the last batch."""

FETCH_MS = 50
"""How long the embedded broker may take for a fetch that has nothing; what is asked next waits behind it."""


class EventLog(Protocol):
    """What a shard needs of the event log. Kafka's is below; tests have one that stops at any step."""

    def read(self, partition: int, start: int, end: int) -> AsyncIterator[Message]:
        """The messages of [start, end); offsets that hold none (transaction markers) are passed over.

        Raises LogError when retention has removed `start`.
        """
        ...

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """For each partition, the offset that the next message appended will get."""
        ...

    async def append(self, partition: int, value: bytes) -> None:
        """Append a message; the broker has it when this returns."""
        ...


class KafkaEventLog:
    """One task's event log in Kafka.

    Parameters
    ----------
    topic
        `<task>.events`.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self.brokers = Brokers.of(brokers)
        self._asker: AIOKafkaConsumer | None = None
        self._producer = LastingProducer(self.brokers)
        self._asking = asyncio.Lock()
        self._tells_batches = False

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Message]:
        """The messages of [start, end); offsets that hold none are passed over. LogError if `start` is no longer there."""
        shard = TopicPartition(self.topic, partition)
        # Without "none" the consumer would go on at the end when retention overtakes it.
        async with self.brokers.consumer(auto_offset_reset="none") as consumer:
            consumer.assign([shard])
            first = (await consumer.beginning_offsets([shard]))[shard]
            if start < first:
                raise self._gone(partition, start, first)
            consumer.seek(shard, start)
            while (following := await consumer.position(shard)) < end:
                try:
                    found = await consumer.getmany(shard, timeout_ms=1000)
                except OffsetOutOfRangeError:
                    first = (await consumer.beginning_offsets([shard]))[shard]
                    raise self._gone(partition, following, first) from None
                for message in found.get(shard, []):
                    if message.offset >= end:
                        return
                    yield message

    def _gone(self, partition: int, wanted: int, first: int) -> LogError:
        return LogError(
            f"{self.topic}/{partition}: offset {wanted} must be folded next, but the broker has only {first} and later.",
            "Lengthen the topic's retention; restore the log, or start a new task.",
        )

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """For each partition, the offset that the next message appended will get."""
        shards = [TopicPartition(self.topic, partition) for partition in partitions]
        if not shards:
            return {}
        async with self._asking:
            asker = await self._connected()
            found: dict[TopicPartition, int] = await asker.end_offsets(shards)
            if self._tells_batches:
                await self._correct(asker, found)
        return {shard.partition: end for shard, end in found.items()}

    async def append(self, partition: int, value: bytes) -> None:
        """Append a message; the broker has it when this returns."""
        await self._producer.append(self.topic, value, partition=partition)

    async def _connected(self) -> AIOKafkaConsumer:
        if self._asker is None:
            admin = await started(self.brokers.admin())
            try:
                self._tells_batches = (await admin.describe_cluster())["cluster_id"] == EMBEDDED_CLUSTER
            finally:
                await admin.close()
            self._asker = await started(self.brokers.consumer(fetch_max_wait_ms=FETCH_MS))
        return self._asker

    @staticmethod
    async def _correct(asker: AIOKafkaConsumer, found: dict[TopicPartition, int]) -> None:
        """Read the last batch: the answer to a fetch has the true end."""
        asker.assign(list(found))
        for shard, end in found.items():
            asker.seek(shard, max(end - 1, 0))
        await asker.getmany(timeout_ms=FETCH_MS)
        for shard, end in found.items():
            found[shard] = max(end, asker.highwater(shard) or 0)

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self._producer.stop()
        if self._asker is not None:
            asker, self._asker = self._asker, None
            await asker.stop()
