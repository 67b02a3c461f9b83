"""The end of a topic: its last messages, and those that come."""

from collections.abc import AsyncGenerator

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from headrace.tables.kafka.clients import Brokers, ask_cluster, consuming, fetched
from headrace.tables.kafka.ends import ends_of

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
    asks = ends_of(await ask_cluster(brokers))
    async with consuming(brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign(shards)
        begins, ends = await consumer.beginning_offsets(shards), await asks.of(consumer, shards)
        for shard in shards:
            consumer.seek(shard, max(begins[shard], ends[shard] - last))
        before: list[ConsumerRecord] = []
        after: list[ConsumerRecord] = []
        unread = {shard for shard in shards if last and begins[shard] < ends[shard]}
        while unread:
            for shard, messages in (await fetched(consumer, *unread, timeout_ms=IDLE_MS)).items():
                for message in messages:
                    (before if message.offset < ends[shard] else after).append(message)
            unread = {shard for shard in unread if await consumer.position(shard) < ends[shard]}
            for shard in unread:
                if await asks.is_behind(consumer, shard, ends[shard] - 1):
                    raise KafkaError(f"{topic} has become shorter: it was deleted, or made anew")
        before.sort(key=lambda message: message.timestamp)
        for message in before[-last:] if last else ():
            yield message
        yield None
        for message in after:
            yield message
        while True:
            for messages in (await fetched(consumer, *shards, timeout_ms=IDLE_MS)).values():
                for message in messages:
                    yield message
