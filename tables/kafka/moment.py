"""Reads the messages of a log that were folded at one log time."""

from collections.abc import AsyncGenerator

from aiokafka import ConsumerRecord, TopicPartition

from headrace.tables.kafka.clients import Brokers, ask_cluster, consuming, fetched
from headrace.tables.kafka.ends import ends_of

FETCH_MS = 500


async def read_moment(
    brokers: Brokers, topic: str, partition: int, time: int, most: int
) -> AsyncGenerator[ConsumerRecord]:
    """Yield the messages at which log time was `time`, in their order.

    Log time is the largest timestamp so far. So these messages begin with the first one that has this timestamp or a later one, and end
    before the first later one.

    Parameters
    ----------
    brokers
        The brokers.
    topic, partition
        The partition of an event log.
    time
        Log time in milliseconds since the epoch.
    most
        The largest number of messages to yield.

    Raises
    ------
    KafkaError
        The broker failed.
    """
    shard = TopicPartition(topic, partition)
    asks = ends_of(await ask_cluster(brokers))
    async with consuming(brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign([shard])
        first = (await consumer.offsets_for_times({shard: time}))[shard]
        if first is None:
            return
        end = (await asks.of(consumer, [shard]))[shard]
        consumer.seek(shard, first.offset)
        left = most
        while left and await consumer.position(shard) < end:
            messages = (await fetched(consumer, shard, timeout_ms=FETCH_MS, max_records=left)).get(shard, [])
            for message in messages:
                if message.timestamp > time:
                    return
                yield message
            left -= len(messages)
