"""A mark: the fingerprint of one message, by which a topic is told from another of the same name."""

import asyncio
import hashlib

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from learning.learner import Message
from tables.kafka import Brokers, started

FORMAT = "1"

FETCH_MS = 5
"""How long a broker may hold a fetch of what it does not have yet: the next question waits behind it."""

POLL_MS = 100
ROUNDS = 20
"""How many polls of POLL_MS may bring nothing of a message that should be there, before the broker is taken to be away."""


class Mark(msgspec.Struct, frozen=True):
    """The fingerprint of a message: its offset, its Kafka timestamp in milliseconds, and the SHA-256 of key and value, as hex.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> mark = Mark.of(SimpleNamespace(offset=7, timestamp=1_700_000_000_000, key=None, value=b"{}"))
    >>> Mark.parse(mark.text) == mark
    True
    >>> Mark.parse("") is None
    True
    """

    offset: int
    timestamp: int
    digest: str

    @classmethod
    def of(cls, message: Message) -> "Mark":
        """Take the fingerprint of a message. A key or value that is null differs from an empty one."""
        parts = (message.key, message.value)
        sizes = b",".join(b"-" if part is None else b"%d" % len(part) for part in parts)
        content = b"\0".join((sizes, *(part or b"" for part in parts)))
        return cls(message.offset, message.timestamp, hashlib.sha256(content).hexdigest())

    @property
    def text(self) -> str:
        """One line, to be kept beside a committed offset."""
        return f"{FORMAT} {self.offset} {self.timestamp} {self.digest}"

    @classmethod
    def parse(cls, text: str | None) -> "Mark | None":
        """Read a mark from its line; None for anything else, such as an offset that was reset by hand has."""
        try:
            version, offset, timestamp, digest = (text or "").split(" ")
            return cls(int(offset), int(timestamp), digest) if version == FORMAT else None
        except ValueError:
            return None


class Marks:
    """Compares marks with the messages that topics hold.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, brokers: Brokers | str):
        self.brokers = Brokers.of(brokers)
        self._consumer: AIOKafkaConsumer | None = None
        self._asking = asyncio.Lock()

    async def fits(self, topic: str, partition: int, mark: Mark) -> bool:
        """Whether the partition can be the one that the marked message came from.

        False if it ends at the mark's offset or before, or has another message there. True also if it holds nothing there: retention
        or compaction may have removed the message, which proves nothing.

        Raises
        ------
        KafkaError, OSError
            The broker does not answer.
        """
        async with self._asking:
            consumer, place = await self._connected(), TopicPartition(topic, partition)
            consumer.assign([place])
            consumer.seek(place, mark.offset)
            try:
                for _ in range(ROUNDS):  # without an answer there is no verdict
                    fetched = await consumer.getmany(place, timeout_ms=POLL_MS, max_records=1)
                    for message in fetched.get(place, ()):
                        return message.offset > mark.offset or Mark.of(message) == mark
                    if await consumer.position(place) > mark.offset:
                        return True  # a transaction's marker, or an aborted record
                    if (await consumer.end_offsets([place]))[place] <= mark.offset:
                        return False
            except OffsetOutOfRangeError:
                return bool((await consumer.beginning_offsets([place]))[place] > mark.offset)
            finally:
                consumer.pause(place)
        raise KafkaTimeoutError

    async def stop(self) -> None:
        """Close the connection to the broker."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            # Without "none" the consumer would go on elsewhere when the offset is not in the topic. One byte asks for one batch.
            consumer = self.brokers.consumer(
                auto_offset_reset="none", fetch_max_wait_ms=FETCH_MS, max_partition_fetch_bytes=1
            )
            self._consumer = await started(consumer)
        return self._consumer
