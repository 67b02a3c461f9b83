"""Where partitions end: Kafka says so, and the embedded broker must be asked otherwise."""

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from headrace.tables.kafka.clients import fetched

EMBEDDED_CLUSTER = "headrace-embedded"
"""The cluster id of the embedded broker. Asked for the end of a log, it tells that of the first record of the last batch; the answer to a
fetch has the true one."""

FETCH_MS = 50
"""How long the embedded broker may take for a fetch that has nothing; the next question waits behind it."""


class Ends:
    """Asks Kafka for the ends of partitions."""

    async def of(self, consumer: AIOKafkaConsumer, shards: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """For each partition, the offset that the next message appended will get."""
        found: dict[TopicPartition, int] = await consumer.end_offsets(shards)
        return found

    async def is_behind(self, consumer: AIOKafkaConsumer, shard: TopicPartition, offset: int) -> bool:
        """Whether a partition ends at an offset or before it. That nothing was fetched yet proves nothing: the broker may be slow."""
        return (await self.of(consumer, [shard]))[shard] <= offset


class EmbeddedEnds(Ends):
    """Asks the embedded broker, which tells the end of a log wrongly after a batch; the answer to a fetch has the true one."""

    async def of(self, consumer: AIOKafkaConsumer, shards: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """As for Kafka. Reads the last batch of each partition."""
        found = dict(await super().of(consumer, shards))
        consumer.assign(list(found))
        for shard, end in found.items():
            consumer.seek(shard, max(end - 1, 0))
        while lacking := [shard for shard in found if consumer.highwater(shard) is None]:
            await fetched(consumer, *lacking, timeout_ms=FETCH_MS, max_records=1)
        for shard, end in found.items():
            found[shard] = max(end, consumer.highwater(shard) or 0)
        return found

    async def is_behind(self, consumer: AIOKafkaConsumer, shard: TopicPartition, offset: int) -> bool:
        """As for Kafka, by the answer to the fetch that the caller waits for."""
        end = consumer.highwater(shard)
        return end is not None and end <= offset


def ends_of(cluster: str | None) -> Ends:
    """How to ask the brokers of this cluster."""
    return EmbeddedEnds() if cluster == EMBEDDED_CLUSTER else Ends()
