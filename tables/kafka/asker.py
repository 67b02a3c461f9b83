"""The asker: asks a broker where partitions begin and end, and for single messages, over one connection that lasts."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from headrace.tables.kafka.clients import Brokers, ask_cluster, close, close_soon, fetched, started
from headrace.tables.kafka.ends import FETCH_MS, Ends, ends_of

FETCH_BYTES = 1 << 16
"""Bytes that a look at one message fetches; a broker sends the whole of a batch that is larger."""

ANSWER_SECONDS = 10.0
"""How long a broker may take for one answer. aiokafka waits for ever for the ends of a topic that does not exist."""


class Look(NamedTuple):
    """What a partition has at one offset.

    Parameters
    ----------
    first, end
        An offset from which on the broker has all messages, and that of the next one that will be appended.
    message
        The message at the offset; None if that offset holds none: a transaction marker, or nothing any more, or nothing yet.
    """

    first: int
    end: int
    message: ConsumerRecord | None


class Asker:
    """Asks about the partitions of one topic.

    Parameters
    ----------
    topic
        The topic.
    brokers
        Where Kafka is.
    """

    def __init__(self, topic: str, brokers: Brokers):
        self.topic, self.brokers = topic, brokers
        self._consumer: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()
        self._ends = Ends()

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """For each partition, the offset that the next message appended will get. TimeoutError (an OSError) without an answer."""
        shards = [TopicPartition(self.topic, partition) for partition in partitions]
        if not shards:
            return {}
        async with asyncio.timeout(ANSWER_SECONDS), self._asking, self._fresh_after_failure():
            consumer = await self._connected()
            ends = await self._ends.of(consumer, shards)
        return {shard.partition: end for shard, end in ends.items()}

    async def look(self, partition: int, offset: int) -> Look:
        """The message at an offset, and where the partition begins and ends. TimeoutError (an OSError) without an answer.

        Where there is a message one request is enough: the answer to a fetch has the end. Otherwise the broker is asked.
        """
        shard = TopicPartition(self.topic, partition)
        async with asyncio.timeout(ANSWER_SECONDS), self._asking, self._fresh_after_failure():
            consumer = await self._connected()
            message = await self._fetch(consumer, shard, offset) if offset >= 0 else None
            if message is not None:
                return Look(offset, consumer.highwater(shard) or 0, message)
            first = (await consumer.beginning_offsets([shard]))[shard]
            return Look(first, (await self._ends.of(consumer, [shard]))[shard], None)

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await close(consumer)

    @asynccontextmanager
    async def _fresh_after_failure(self) -> AsyncIterator[None]:
        """Let go of the consumer when it fails or is not waited for any longer."""
        try:
            yield
        except BaseException:
            if self._consumer is not None:
                close_soon(self._consumer)
                self._consumer = None
            raise

    async def _fetch(self, consumer: AIOKafkaConsumer, shard: TopicPartition, offset: int) -> ConsumerRecord | None:
        """The message at an offset; None if it holds none, or is not in the partition."""
        consumer.assign([shard])
        consumer.seek(shard, offset)
        try:
            while await consumer.position(shard) <= offset:
                found = (await fetched(consumer, shard, timeout_ms=2 * FETCH_MS, max_records=1)).get(shard, [])
                for message in found:
                    return message if message.offset == offset else None
                if not found and await self._ends.is_behind(consumer, shard, offset):
                    return None
        except OffsetOutOfRangeError:
            return None
        else:
            return None
        finally:
            if shard in consumer.assignment():
                consumer.pause(shard)  # or it would go on and fetch

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._ends = ends_of(await ask_cluster(self.brokers))
            # Without "none" the consumer would go on elsewhere when an offset has gone since it was asked for.
            options = {
                "fetch_max_wait_ms": FETCH_MS,
                "max_partition_fetch_bytes": FETCH_BYTES,
                "auto_offset_reset": "none",
            }
            self._consumer = await started(self.brokers.consumer(**options))
        return self._consumer
