"""The asker: asks a broker for the ends of partitions and for single messages, over one lasting connection."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from headrace.tables.kafka.clients import Brokers, ConsumerOptions, ask_cluster, close, close_soon, fetched, started
from headrace.tables.kafka.ends import FETCH_MS, Ends, ends_of

FETCH_BYTES = 1 << 16
"""The bytes to fetch for one message. A broker sends a larger batch whole."""

ANSWER_SECONDS = 10.0
"""How long a broker may take for one answer. aiokafka would wait for ever for the ends of a topic that does not exist."""


class Look(NamedTuple):
    """The message of a partition at one offset, and the ends of the partition, as `Asker.look` returns them.

    Parameters
    ----------
    first
        An offset from which on the broker has all messages.
    end
        The offset of the next message that will be appended.
    message
        The message at the offset; None if the offset holds a transaction marker, or its message is gone, or was not appended yet.
    """

    first: int
    end: int
    message: ConsumerRecord | None


class Asker:
    """Asks the broker about the partitions of one topic.

    Parameters
    ----------
    topic
        The name of the topic.
    brokers
        The brokers to ask.
    """

    def __init__(self, topic: str, brokers: Brokers):
        self.topic, self.brokers = topic, brokers
        self._consumer: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()
        self._ends = Ends()

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the end of each partition: the offset of the next message that will be appended.

        Raises
        ------
        TimeoutError
            The broker does not answer. TimeoutError is an OSError.
        """
        shards = [TopicPartition(self.topic, partition) for partition in partitions]
        if not shards:
            return {}
        async with asyncio.timeout(ANSWER_SECONDS), self._asking, self._fresh_after_failure():
            consumer = await self._connected()
            ends = await self._ends.of(consumer, shards)
        return {shard.partition: end for shard, end in ends.items()}

    async def look(self, partition: int, offset: int) -> Look:
        """Fetch the message at an offset, and the beginning and the end of the partition.

        If the offset holds a message, one request is enough, because the answer to a fetch names the end.

        Raises
        ------
        TimeoutError
            The broker does not answer. TimeoutError is an OSError.
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
        """Drop the consumer if the block fails or is cancelled; the next call makes another one."""
        try:
            yield
        except BaseException:
            if self._consumer is not None:
                close_soon(self._consumer)
                self._consumer = None
            raise

    async def _fetch(self, consumer: AIOKafkaConsumer, shard: TopicPartition, offset: int) -> ConsumerRecord | None:
        """Fetch the message at an offset; None if the offset holds no message or is outside the partition."""
        consumer.assign([shard])
        consumer.seek(shard, offset)
        try:
            while await consumer.position(shard) <= offset:
                messages = (await fetched(consumer, shard, timeout_ms=2 * FETCH_MS, max_records=1)).get(shard, [])
                for message in messages:
                    return message if message.offset == offset else None
                if not messages and await self._ends.is_behind(consumer, shard, offset):
                    return None
        except OffsetOutOfRangeError:
            return None
        else:
            return None
        finally:
            if shard in consumer.assignment():
                consumer.pause(shard)  # otherwise it would go on fetching

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._ends = ends_of(await ask_cluster(self.brokers))
            # With another setting than "none" the consumer would continue at another offset when the one asked for is gone.
            options: ConsumerOptions = {
                "fetch_max_wait_ms": FETCH_MS,
                "max_partition_fetch_bytes": FETCH_BYTES,
                "auto_offset_reset": "none",
            }
            self._consumer = await started(self.brokers.consumer(**options))
        return self._consumer
