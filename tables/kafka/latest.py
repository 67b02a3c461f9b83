"""Reads the newest messages of a topic, backwards and within bounds, or all of its messages as the topic stands now."""

from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from headrace.tables.kafka.clients import Brokers, ask_cluster, consuming, fetched
from headrace.tables.kafka.ends import Ends, ends_of

CHUNK = 200
"""The number of offsets of a partition that are read at once, before it is known whether earlier messages are needed."""

FETCH_MS = 500


class Latest(NamedTuple):
    """The newest messages of a topic.

    Parameters
    ----------
    messages
        The messages, newest first by their Kafka timestamps.
    kept
        The number of offsets that the broker keeps of the topic: of its messages, if no producer has used transactions.
    """

    messages: list[ConsumerRecord]
    kept: int


async def read_latest(brokers: Brokers, topic: str, partitions: Iterable[int], last: int, *, most_bytes: int) -> Latest:
    """Read the newest messages of a topic over all of its partitions, newest first.

    The partitions are read backwards, a chunk at a time, and no further than the order of the timestamps needs.

    Parameters
    ----------
    brokers
        The brokers.
    topic, partitions
        The topic, and the partitions to read.
    last
        The largest number of messages to return.
    most_bytes
        No further chunk is read when the values read so far have this many bytes.

    Raises
    ------
    KafkaError
        The broker failed, or the topic is gone.
    """
    shards = [TopicPartition(topic, partition) for partition in partitions]
    asks = ends_of(await ask_cluster(brokers))
    async with consuming(brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign(shards)
        begins, ends = await consumer.beginning_offsets(shards), await asks.of(consumer, shards)
        unread = dict(ends)
        found: list[ConsumerRecord] = []
        size, oldest = 0, dict[TopicPartition, int]()
        while size < most_bytes:
            cutoff = found[last - 1].timestamp if len(found) >= last else -1
            behind = [one for one in shards if unread[one] > begins[one] and oldest.get(one, cutoff + 1) > cutoff]
            if not behind:
                break
            until = {shard: unread[shard] for shard in behind}
            unread |= {shard: max(begins[shard], until[shard] - CHUNK) for shard in behind}
            for message in await _read_ranges(consumer, asks, {one: (unread[one], until[one]) for one in behind}):
                found.append(message)
                size += len(message.value or b"")
                shard = TopicPartition(topic, message.partition)
                oldest[shard] = min(message.timestamp, oldest.get(shard, message.timestamp))
            found.sort(key=lambda one: (one.timestamp, one.offset), reverse=True)
        return Latest(found[:last], sum(ends[shard] - begins[shard] for shard in shards))


async def read_whole(brokers: Brokers, topic: str, partitions: Iterable[int]) -> AsyncGenerator[ConsumerRecord]:
    """Yield all messages that a topic has now, one partition after the other, each in the order of its offsets.

    Raises
    ------
    KafkaError
        The broker failed, or the topic is gone.
    """
    shards = [TopicPartition(topic, partition) for partition in partitions]
    asks = ends_of(await ask_cluster(brokers))
    async with consuming(brokers, auto_offset_reset="earliest") as consumer:
        consumer.assign(shards)
        begins, ends = await consumer.beginning_offsets(shards), await asks.of(consumer, shards)
        for shard in shards:
            for start in range(begins[shard], ends[shard], CHUNK):
                for message in await _read_ranges(consumer, asks, {shard: (start, min(start + CHUNK, ends[shard]))}):
                    yield message


async def _read_ranges(
    consumer: AIOKafkaConsumer, asks: Ends, ranges: dict[TopicPartition, tuple[int, int]]
) -> list[ConsumerRecord]:
    """Read the messages of a range of offsets [start, end) of each partition."""
    for shard in consumer.assignment():
        if shard in ranges:
            consumer.resume(shard)
            consumer.seek(shard, ranges[shard][0])
        else:
            consumer.pause(shard)  # otherwise its messages would be fetched as well
    found: list[ConsumerRecord] = []
    unread = set(ranges)
    while unread:
        by_shard = await fetched(consumer, *unread, timeout_ms=FETCH_MS)
        for shard, messages in by_shard.items():
            found += [message for message in messages if message.offset < ranges[shard][1]]
        unread = {shard for shard in unread if await consumer.position(shard) < ranges[shard][1]}
        for shard in unread if not by_shard else ():
            if await asks.is_behind(consumer, shard, ranges[shard][1] - 1):
                raise KafkaError("the topic has become shorter: it was deleted, or made anew")
    return found
