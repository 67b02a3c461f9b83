"""The outlet: tells effects outside, and knows when the broker has them all."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from headrace.learning.effects import Effect, Predicted, Quarantined, Resolved
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import LastingProducer

REQUEST_MAX = 16 << 20
"""Bytes in one record of the quarantine, whose topic is made for them; what is larger is cut, and says so."""

CUT = 64 << 10

PACK_BYTES = 1 << 19
"""Bytes of lines in one message, about: half of what a broker usually takes."""

UNTOLD_MAX = 32 << 20
"""Bytes of one shard that are under way to the broker or were refused; then `tell` waits until it has them."""


class Outlet(Protocol):
    """Where a shard's effects go. Kafka's is below; tests have one that stops at any step."""

    async def tell(self, partition: int, effects: Sequence[Effect]) -> None:
        """Send effects, in their order; they may still be under way when this returns."""
        ...

    async def flush(self, partition: int) -> None:
        """Wait until the broker has all effects told so far for this shard; raises if it refused one."""
        ...


@dataclass(slots=True)
class Telling:
    """A message under way to the broker, with what it takes to send it again."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    sent: asyncio.Future[RecordMetadata]

    @property
    def is_told(self) -> bool:
        """Whether the broker has it."""
        return self.sent.done() and not self.sent.cancelled() and self.sent.exception() is None


class Untold:
    """What one shard has sent and the broker has not acknowledged, in the order of sending."""

    def __init__(self) -> None:
        self.tellings: deque[Telling] = deque()
        self.size = 0

    def add(self, telling: Telling) -> None:
        """One more."""
        self.tellings.append(telling)
        self.size += len(telling.value)

    def first(self) -> Telling | None:
        """The oldest that the broker does not have; those before it are forgotten."""
        while self.tellings and self.tellings[0].is_told:
            self.size -= len(self.tellings.popleft().value)
        return self.tellings[0] if self.tellings else None


class KafkaOutlet:
    """Effects of one task, in Kafka: predictions packed one a line, each other one a message.

    A quarantined record keeps its original bytes as the message's value; what is to be said of it stands in the headers.

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
        self._untold: defaultdict[int, Untold] = defaultdict(Untold)

    async def tell(self, partition: int, effects: Sequence[Effect]) -> None:
        """Send effects, in their order; they may still be under way when this returns.

        Where much is, it waits first until the broker has it, and raises as `flush` does; these effects are not sent then.
        """
        untold = self._untold[partition]
        if untold.first() and untold.size > UNTOLD_MAX:
            await self.flush(partition)
        packed = [effect for effect in effects if isinstance(effect, Predicted | Resolved)]
        for lines in pack(map(encode, packed)):
            await self._send(partition, "predictions", None, lines, [])
        for effect in effects:
            if isinstance(effect, Quarantined):
                await self._send_quarantined(partition, effect)
            elif not isinstance(effect, Predicted | Resolved):
                await self._send(partition, "signals", effect.id.encode(), encode(effect), [])

    async def flush(self, partition: int) -> None:
        """Wait until the broker has all effects told so far for this shard; raises if it refused one."""
        untold = self._untold[partition]
        while telling := untold.first():
            await asyncio.wait([telling.sent])  # beside it: who cancels this would cancel what is waited for
            error = None if telling.sent.cancelled() else telling.sent.exception()
            if telling.is_told:
                continue
            is_large = isinstance(error, MessageSizeTooLargeError) and len(telling.value) > CUT
            if is_large:  # a topic that was made by hand takes less
                telling.headers = headers_of_cut(telling.headers, len(telling.value))
                untold.size -= len(telling.value) - CUT
                telling.value = telling.value[:CUT]
            await self._tell_again(untold, partition)
            if error and not is_large and not isinstance(error, KafkaTimeoutError | KafkaConnectionError):
                raise error  # refused, not only not acknowledged: perhaps it is mended when the next snapshot asks

    async def stop(self) -> None:
        """Send what is under way and close the connection to the broker."""
        await self._producer.stop()

    async def _tell_again(self, untold: Untold, partition: int) -> None:
        """Send what was refused once more, through a new producer: after a refusal the old one's sequence has a hole."""
        await self.stop()
        for telling in [one for one in untold.tellings if one.sent.done()]:
            if not telling.is_told:
                telling.sent = await self._start(partition, telling.topic, telling.key, telling.value, telling.headers)

    async def _send_quarantined(self, partition: int, effect: Quarantined) -> None:
        headers = headers_of(effect, f"{self.task}.events", partition)
        await self._send(partition, "quarantine", effect.key, effect.value, headers)

    async def _send(
        self, partition: int, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        sent = await self._start(partition, topic, key, value, headers)
        self._untold[partition].add(Telling(topic, key, value, headers, sent))

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
    r"""Lines as messages that a broker takes, if it takes each line.

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
    """An effect as JSON."""
    told = msgspec.structs.asdict(effect)
    if isinstance(effect, Predicted):
        told |= effect.prediction.to_json() if effect.prediction else {"prediction": None, "probabilities": None}
    return msgspec.json.encode({"effect": type(effect).__name__.lower()} | told)


def headers_of(effect: Quarantined, topic: str, partition: int) -> list[tuple[str, bytes]]:
    """What is said of a quarantined record: why it is there, and where it is from."""
    told = {
        "id": effect.id,
        "code": effect.code,
        "reason": effect.reason,
        "topic": topic,
        "partition": str(partition),
        "offset": str(effect.offset),
        "row": str(effect.row),
    }
    return [(name, value.encode("utf-8", "replace")) for name, value in told.items()]


def headers_of_cut(headers: Sequence[tuple[str, bytes]], size: int) -> list[tuple[str, bytes]]:
    """The headers of a record whose value had to be cut: the whole of it is where the headers say that it is from."""
    return [*headers, ("cut_from_bytes", str(size).encode())]
