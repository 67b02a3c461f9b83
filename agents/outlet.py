"""The outlet: publishes effects to Kafka, and knows when the broker has acknowledged them all."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from headrace.learning.effects import Effect, Measured, Predicted, Quarantined, Resolved
from headrace.tables.history import slot_key
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import LastingProducer

REQUEST_MAX = 16 << 20
"""The largest record of the quarantine, in bytes, for which its topic is made. A larger value is cut, and a header says so."""

CUT = 64 << 10

PACK_BYTES = 1 << 19
"""The approximate bytes of lines in one message: half of what a broker usually takes."""

UNACKNOWLEDGED_MAX = 32 << 20
"""Unacknowledged bytes of one shard above which `tell` waits until the broker has acknowledged them."""


class Outlet(Protocol):
    """Publishes the effects of shards. `KafkaOutlet` does it in a worker; tests have an outlet that may fail at any step."""

    async def tell(self, partition: int, effects: Sequence[Effect]) -> None:
        """Send effects in their order, without waiting until the broker has acknowledged them."""
        ...

    async def flush(self, partition: int) -> None:
        """Wait until the broker has acknowledged all effects of this shard that were sent so far; raises if the broker refused one."""
        ...


@dataclass(slots=True)
class SentMessage:
    """A message that was sent to the broker, with all that is needed to send it again."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    sent: asyncio.Future[RecordMetadata]

    @property
    def is_acknowledged(self) -> bool:
        """Say whether the broker has acknowledged the message."""
        return self.sent.done() and not self.sent.cancelled() and self.sent.exception() is None


class Unacknowledged:
    """Holds the messages of one shard that the broker has not acknowledged yet, in the order of sending.

    Attributes
    ----------
    size
        The bytes of the messages that are held.
    dropped
        How many messages were acknowledged and are held no longer.
    """

    def __init__(self) -> None:
        self.messages: deque[SentMessage] = deque()
        self.size = self.dropped = 0

    def add(self, message: SentMessage) -> None:
        """Add a message that was sent."""
        self.messages.append(message)
        self.size += len(message.value)

    def first(self) -> SentMessage | None:
        """Return the oldest message that the broker has not acknowledged, and drop those before it."""
        while self.messages and self.messages[0].is_acknowledged:
            self.size -= len(self.messages.popleft().value)
            self.dropped += 1
        return self.messages[0] if self.messages else None


class KafkaOutlet:
    """Publishes the effects of one task to Kafka: predictions as lines packed into messages, every other effect as a message.

    A point of the history has the key of its slot, and its topic one partition for all shards. A quarantined record keeps its original bytes as the message's value; the headers give its reason and origin.

    Parameters
    ----------
    task
        Names the topics.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, task: str, brokers: Brokers | str):
        self.task = task
        # Compressed, so that a value that came through the event log's limit compressed comes through this one too.
        self._producer = LastingProducer(brokers, linger_ms=2, compression_type="gzip", max_request_size=REQUEST_MAX)
        self._unacknowledged: defaultdict[int, Unacknowledged] = defaultdict(Unacknowledged)

    async def tell(self, partition: int, effects: Sequence[Effect]) -> None:
        """Send effects in their order, without waiting until the broker has acknowledged them.

        If too many bytes are unacknowledged, `tell` first waits for them, and raises as `flush` does; then these effects are not sent.
        """
        unacknowledged = self._unacknowledged[partition]
        if unacknowledged.first() and unacknowledged.size > UNACKNOWLEDGED_MAX:
            await self.flush(partition)
        packed = [effect for effect in effects if isinstance(effect, Predicted | Resolved)]
        for lines in pack(map(encode, packed)):
            await self._send(partition, "predictions", None, lines, [])
        for effect in effects:
            if isinstance(effect, Quarantined):
                await self._send_quarantined(partition, effect)
            elif isinstance(effect, Measured):
                await self._send(partition, "history", slot_key(effect), encode(effect), [], to=0)
            elif not isinstance(effect, Predicted | Resolved):
                await self._send(partition, "signals", effect.id.encode(), encode(effect), [])

    async def flush(self, partition: int) -> None:
        """Wait until the broker has acknowledged all effects of this shard that were sent so far; raises if the broker refused one.

        It does not wait for effects that are sent during the wait. If it did, it would never return under constant load, and no snapshot
        would be saved.
        """
        unacknowledged = self._unacknowledged[partition]
        sent = unacknowledged.dropped + len(unacknowledged.messages)
        while (message := unacknowledged.first()) and unacknowledged.dropped < sent:
            await asyncio.wait([message.sent])  # a plain await would cancel the future when this call is cancelled
            error = None if message.sent.cancelled() else message.sent.exception()
            if message.is_acknowledged:
                continue
            is_large = isinstance(error, MessageSizeTooLargeError) and len(message.value) > CUT
            if is_large:  # a topic that was made by hand may take less
                message.headers = headers_of_cut(message.headers, len(message.value))
                unacknowledged.size -= len(message.value) - CUT
                message.value = message.value[:CUT]
            await self._send_again(unacknowledged)
            if error and not is_large and not isinstance(error, KafkaTimeoutError | KafkaConnectionError):
                raise error  # the broker refused the message; the cause may be gone when the next snapshot flushes

    async def stop(self) -> None:
        """Wait for messages under way and close the connection to the broker."""
        await self._producer.stop()

    async def _send_again(self, unacknowledged: Unacknowledged) -> None:
        """Send refused messages again, through a new producer: after a refusal the old producer's sequence numbers have a hole."""
        await self.stop()
        for message in [message for message in unacknowledged.messages if message.sent.done()]:
            if not message.is_acknowledged:
                message.sent = await self._start(
                    message.partition, message.topic, message.key, message.value, message.headers
                )

    async def _send_quarantined(self, partition: int, effect: Quarantined) -> None:
        headers = headers_of(effect, f"{self.task}.events", partition)
        await self._send(partition, "quarantine", effect.key, effect.value, headers)

    async def _send(
        self,
        shard: int,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes]],
        *,
        to: int | None = None,
    ) -> None:
        """Send a message of a shard to the partition `to`; left out, to the partition of the shard."""
        partition = shard if to is None else to
        sent = await self._start(partition, topic, key, value, headers)
        self._unacknowledged[shard].add(SentMessage(topic, partition, key, value, headers, sent))

    async def _start(
        self, partition: int, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[RecordMetadata]:
        producer = await self._producer.get()
        try:
            return await producer.send(f"{self.task}.{topic}", value, key=key, partition=partition, headers=headers)
        except MessageSizeTooLargeError as error:  # as if the broker had said so: it is cut
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(error)
            return sent


def pack(lines: Iterable[bytes]) -> Iterator[bytes]:
    r"""Pack lines into messages of about `PACK_BYTES`; a longer line makes a message of its own.

    Examples
    --------
    >>> list(pack([b"a", b"b"]))
    [b'a\nb']
    >>> [len(message) for message in pack([bytes(300_000), bytes(300_000)])]
    [300000, 300000]
    """
    packed: list[bytes] = []
    room = PACK_BYTES
    for line in lines:
        if packed and len(line) > room:
            yield b"\n".join(packed)
            packed, room = [], PACK_BYTES
        packed.append(line)
        room -= len(line) + 1
    if packed:
        yield b"\n".join(packed)


def encode(effect: Effect) -> bytes:
    """Encode an effect as JSON."""
    fields = msgspec.structs.asdict(effect)
    if isinstance(effect, Predicted):
        fields |= effect.prediction.to_json() if effect.prediction else {"prediction": None, "probabilities": None}
    return msgspec.json.encode({"effect": type(effect).__name__.lower()} | fields)


def headers_of(effect: Quarantined, topic: str, partition: int) -> list[tuple[str, bytes]]:
    """Return the headers of a quarantined record: why the record is there, and its origin."""
    fields = {
        "id": effect.id,
        "code": effect.code,
        "reason": effect.reason,
        "topic": topic,
        "partition": str(partition),
        "offset": str(effect.offset),
        "row": str(effect.row),
    }
    return [(name, value.encode("utf-8", "replace")) for name, value in fields.items()]


def headers_of_cut(headers: Sequence[tuple[str, bytes]], size: int) -> list[tuple[str, bytes]]:
    """Add the original size to the headers of a record whose value was cut. Its origin in the headers leads to the whole value."""
    return [*headers, ("cut_from_bytes", str(size).encode())]
