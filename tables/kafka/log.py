"""The event log, read without a consumer group: gaps that Faust left are read here, and the log is compared with the state here."""

import time
from collections.abc import AsyncGenerator, Iterable
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from headrace.learning.errors import LogError
from headrace.learning.records.mark import KafkaMessage, Mark
from headrace.tables.kafka.asker import Asker, Look
from headrace.tables.kafka.clients import Brokers, consuming, fetched, started
from headrace.tables.kafka.producer import LastingProducer

QUIET_SECONDS = 0.1
"""How long after a fetch the next one may come before the log is checked again."""

POLICY_SECONDS = 10.0
"""How long the topic's cleanup policy is cached. Each transaction of a producer leaves a hole, which would need the policy anew."""

ANOTHER = (
    "Restore the log that was folded. To fold the log that is there from its beginning: stop the workers, delete {task}.snapshots and "
    "{task}.pending, and start the workers again."
)


class EventLog(Protocol):
    """The event log as a shard uses it: `KafkaEventLog` in a worker, a log in memory in tests."""

    def read(self, partition: int, start: int, end: int) -> AsyncGenerator[KafkaMessage]:
        """Yield the messages with offsets in [start, end); skip offsets without a message, such as transaction markers.

        Raises
        ------
        LogError
            Retention has removed `start`.
        """
        ...

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the end of each partition: the offset of the next message that will be appended."""
        ...

    async def check(self, partition: int, last: Mark | None, position: int) -> None:
        """Raise LogError unless this is the log that was folded up to `position`, with `last` as the mark of the last message."""
        ...

    async def check_hole(self, partition: int, start: int, end: int) -> None:
        """Raise LogError if the empty range [start, end) may have held messages before, because the topic is compacted."""
        ...

    async def append(self, partition: int, value: bytes, timestamp: int) -> int:
        """Append a message with a timestamp in milliseconds, wait until the broker has acknowledged it, and return its offset."""
        ...


class KafkaEventLog:
    """The event log of one task in Kafka.

    Parameters
    ----------
    topic
        `<task>.events`.
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self.brokers = Brokers.of(brokers)
        self._asker = Asker(topic, self.brokers)
        self._producer = LastingProducer(self.brokers)
        self._is_compacted: tuple[float, bool] | None = None

    async def read(self, partition: int, start: int, end: int) -> AsyncGenerator[KafkaMessage]:
        """Yield the messages with offsets in [start, end); skip offsets without a message, such as transaction markers.

        Raises
        ------
        LogError
            Retention has removed `start`.
        """
        shard = TopicPartition(self.topic, partition)
        # With another setting than "none" the consumer would continue at the end when retention overtakes it.
        async with consuming(self.brokers, auto_offset_reset="none") as consumer:
            consumer.assign([shard])
            first = (await consumer.beginning_offsets([shard]))[shard]
            if start < first:
                raise self._gone(partition, start, first)
            consumer.seek(shard, start)
            before: KafkaMessage | None = None
            heard = time.monotonic()
            while (following := await consumer.position(shard)) < end:
                try:
                    messages = (await fetched(consumer, shard, timeout_ms=1000)).get(shard, [])
                except OffsetOutOfRangeError:
                    first = (await consumer.beginning_offsets([shard]))[shard]
                    raise self._gone(partition, following, first) from None
                if not messages and (await self.ends([partition]))[partition] < end:
                    # Raise, do not return: the caller would skip the rest as offsets without messages.
                    raise KafkaError(f"{self.topic}/{partition} has become shorter than {end}")
                if (
                    before is not None
                    and time.monotonic() - heard > QUIET_SECONDS
                    and not await self.holds(partition, Mark.of(before))
                ):
                    raise another(f"{self.topic}/{partition}", before.offset)
                heard = time.monotonic()
                for message in messages:
                    if message.offset >= end:
                        return
                    yield message
                    before = message

    async def position_at(self, partition: int, time: int) -> int:
        """Return the offset of the first message with a later Kafka timestamp, in milliseconds; the end of the log if there is none."""
        shard = TopicPartition(self.topic, partition)
        async with consuming(self.brokers) as consumer:
            consumer.assign([shard])
            found = (await consumer.offsets_for_times({shard: time + 1}))[shard]
        return (await self.ends([partition]))[partition] if found is None else found.offset

    def _gone(self, partition: int, wanted: int, first: int) -> LogError:
        return LogError(
            f"{self.topic}/{partition}: offset {wanted} must be folded next, but the broker has only {first} and later.",
            "Lengthen the topic's retention; restore the log, or start a new task.",
        )

    async def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the end of each partition: the offset of the next message that will be appended."""
        return await self._asker.ends(partitions)

    async def check(self, partition: int, last: Mark | None, position: int) -> None:
        """Raise LogError unless this is the log that was folded up to `position`, with `last` as the mark of the last message.

        If retention has removed the marked message, there is nothing to compare, and the log passes.
        """
        look = await self._asker.look(partition, last[0] if last else position - 1)
        recognise(f"{self.topic}/{partition}", look, last, position)

    async def holds(self, partition: int, mark: Mark) -> bool:
        """Return whether the marked message can have come from this partition.

        Returns False if the partition ends at the mark's offset or before, or has another message at that offset. Returns True also if
        the offset holds no message, because retention or compaction may have removed it.
        """
        look = await self._asker.look(partition, mark.offset)
        return mark.offset < look.end and (look.message is None or Mark.of(look.message) == mark)

    async def check_hole(self, partition: int, start: int, end: int) -> None:
        """Raise LogError if the empty range [start, end) may have held messages before, because the topic is compacted."""
        if self._is_compacted is None or time.monotonic() - self._is_compacted[0] > POLICY_SECONDS:
            self._is_compacted = time.monotonic(), await self._ask_whether_compacted()
        if self._is_compacted[1]:
            raise LogError(
                f"{self.topic}/{partition}: offsets {start} to {end - 1} hold no message, and the topic is compacted: records that were "
                "not folded may be gone.",
                f"Set cleanup.policy=delete: kafka-configs.sh --alter --entity-type topics --entity-name {self.topic} --add-config "
                "cleanup.policy=delete. Then restore the log, or start the worker again to go on without those records.",
            )

    async def append(self, partition: int, value: bytes, timestamp: int) -> int:
        """Append a message with a timestamp in milliseconds, wait until the broker has acknowledged it, and return its offset."""
        written = await self._producer.append(self.topic, value, partition=partition, timestamp_ms=timestamp)
        return written.offset

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self._producer.stop()
        await self._asker.stop()

    async def _ask_whether_compacted(self) -> bool:
        admin = await started(self.brokers.admin())
        try:
            answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic)])
        finally:
            await admin.close()
        policies = [
            entry[1] or ""
            for answer in answers
            for resource in answer.resources
            for entry in resource[4]
            if entry[0] == "cleanup.policy"
        ]
        return any("compact" in policy for policy in policies)


def recognise(place: str, look: Look, last: Mark | None, position: int) -> None:
    """Raise LogError unless a log is the one that was folded up to `position`.

    Parameters
    ----------
    place
        `<task>.events/<partition>`.
    look
        The log at the offset of the marked message; without a mark, at the offset before the position.
    last
        The mark of the last message folded, or None.
    position
        The position of the state.
    """
    remedy = ANOTHER.format(task=place.rpartition("/")[0].removesuffix(".events"))
    if look.end < position:
        what = f"{place} ends at {look.end}, but was folded up to {position}: it has lost its end, or is another log."
        raise LogError(what, remedy)
    if last is None or look.first > last[0]:
        return
    if look.message is None or Mark.of(look.message) != last:
        raise another(place, last[0])


def another(place: str, offset: int) -> LogError:
    """Make the error for a log that has another message at an offset than the one that was folded."""
    what = f"{place} has another message at offset {offset} than the one that was folded: it is another log."
    return LogError(what, ANOTHER.format(task=place.rpartition("/")[0].removesuffix(".events")))
