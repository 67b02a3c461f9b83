"""The end of a topic: its last messages, and those that come."""

from collections.abc import AsyncGenerator

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from headrace.tables.kafka.clients import Brokers, consuming, fetched

IDLE_MS = 500
"""How long one look for new messages waits."""


async def tail(brokers: Brokers, topic: str, partitions: int, last: int) -> AsyncGenerator[ConsumerRecord | None]:
    """Yield the last messages of a topic in the order of their times, then None, and then the messages that come.

    Messages of one partition keep their order. Uncommitted and aborted ones are left out.

    Parameters
    ----------
    brokers
        The brokers.
    topic, partitions
        The topic, and the number of its partitions.
    last
        How many messages to yield first, of those that the topic has now; 0 for none.

    Raises
    ------
    KafkaError
        The broker failed, or the topic is gone.
    """
    shards = [TopicPartition(topic, partition) for partition in range(partitions)]
    async with consuming(brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign(shards)
        begins, ends = await consumer.beginning_offsets(shards), await consumer.end_offsets(shards)
        for shard in shards:
            consumer.seek(shard, max(begins[shard], ends[shard] - last))
        held: list[ConsumerRecord] = []
        open_shards = {shard for shard in shards if begins[shard] < ends[shard] and last}
        early: list[ConsumerRecord] = []
        while open_shards:
            for shard, messages in (await fetched(consumer, *open_shards, timeout_ms=IDLE_MS)).items():
                held += (message for message in messages if message.offset < ends[shard])
                early += (message for message in messages if message.offset >= ends[shard])
            open_shards = {shard for shard in open_shards if await consumer.position(shard) < ends[shard]}
            now = await consumer.end_offsets(list(open_shards))
            if any(now[shard] < ends[shard] for shard in open_shards):
                raise KafkaError(f"{topic} has become shorter: it was deleted, or made anew")
        held.sort(key=lambda message: message.timestamp)
        for message in held[-last:] if last else ():
            yield message
        yield None
        for message in early:
            yield message
        while True:
            for messages in (await fetched(consumer, *shards, timeout_ms=IDLE_MS)).values():
                for message in messages:
                    yield message
