"""The ends of partitions: Kafka reports them, and the embedded broker needs another way."""

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from headrace.tables.kafka.clients import fetched

EMBEDDED_CLUSTER = "headrace-embedded"
"""The cluster id of the embedded broker. Asked for the end of a log, that broker names the first record of the last batch. Its answer to a
fetch has the right end."""

FETCH_MS = 50
"""How long the embedded broker may wait for messages in a fetch; the next request waits behind it."""


class Ends:
    """Asks Kafka for the ends of partitions."""

    async def of(self, consumer: AIOKafkaConsumer, shards: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the end of each partition: the offset of the next message that will be appended."""
        return await consumer.end_offsets(shards)

    async def is_behind(self, consumer: AIOKafkaConsumer, shard: TopicPartition, offset: int) -> bool:
        """Return whether a partition ends at an offset or before. An empty fetch does not prove it: the broker may be slow."""
        return (await self.of(consumer, [shard]))[shard] <= offset


class EmbeddedEnds(Ends):
    """Asks the embedded broker, whose own answer is wrong after a batch, by fetching from it."""

    async def of(self, consumer: AIOKafkaConsumer, shards: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the end of each partition, by reading its last batch."""
        ends = dict(await super().of(consumer, shards))
        consumer.assign(list(ends))
        for shard, end in ends.items():
            consumer.seek(shard, max(end - 1, 0))
        while lacking := [shard for shard in ends if consumer.highwater(shard) is None]:
            await fetched(consumer, *lacking, timeout_ms=FETCH_MS, max_records=1)
        for shard, end in ends.items():
            ends[shard] = max(end, consumer.highwater(shard) or 0)
        return ends

    async def is_behind(self, consumer: AIOKafkaConsumer, shard: TopicPartition, offset: int) -> bool:
        """Return whether a partition ends at an offset or before, as the answer to the caller's last fetch says."""
        end = consumer.highwater(shard)
        return end is not None and end <= offset


def ends_of(cluster: str | None) -> Ends:
    """Return the `Ends` that fits a cluster id."""
    return EmbeddedEnds() if cluster == EMBEDDED_CLUSTER else Ends()
