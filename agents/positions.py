"""How far a task's sources are in its event log: offsets in a consumer group of the task's own, which has no members."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from learning.errors import LogError
from tables.kafka import Brokers, started


class Positions:
    """The next offset to map of each source partition, kept by Kafka.

    The group is the task's own, `headrace-<task>.sources`, so that its positions outlive the group of the workers, whose name
    changes with the tasks; and nobody is fenced out of it: see `agents/ingest.py` for why a position that a late worker puts back
    does no harm.

    Parameters
    ----------
    task
        Names the group.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, task: str, brokers: Brokers | str):
        self.group = f"headrace-{task}.sources"
        self.brokers = Brokers.of(brokers)
        self._client: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()

    async def start(self, topic: str, partition: int) -> int:
        """The offset to begin at: the one committed, or the first there is. LogError if it is not in the topic any more."""
        place = TopicPartition(topic, partition)
        async with self._asking:
            client = await self._connected()
            first = (await client.beginning_offsets([place]))[place]
            position = await client.committed(place)
        if position is None:
            return int(first)
        if position < first:
            raise self.lost(topic, partition, position, first)
        return int(position)

    async def commit(self, topic: str, partition: int, position: int) -> None:
        """Keep a position; it is kept when this returns."""
        place = TopicPartition(topic, partition)
        async with self._asking:
            client = await self._connected()
            client.assign([place])  # which a commit asks for; nothing is fetched
            client.pause(place)
            await client.commit({place: position})

    def lost(self, topic: str, partition: int, position: int, first: int) -> LogError:
        """What to say of records that the source no longer has."""
        return LogError(
            f"{topic}/{partition}: offset {position} must be mapped next, but the topic has only {first} and later.",
            f"Lengthen its retention. To go on without what is gone: kafka-consumer-groups.sh --group {self.group} "
            f"--topic {topic}:{partition} --reset-offsets --to-earliest --execute; then start the worker again.",
        )

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._client is None:
            self._client = await started(self.brokers.consumer(group_id=self.group))
        return self._client
