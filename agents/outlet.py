"""The outlet: tells effects outside, and knows when the broker has them all."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from learning.effects import Effect, Predicted, Quarantined, Resolved
from tables.kafka import Brokers
from tables.producer import LastingProducer

REQUEST_MAX = 16 << 20
"""Bytes in one record of the quarantine, whose topic is made for them; what is larger is cut, and says so."""

CUT = 64 << 10


class Outlet(Protocol):
    """Where a shard's effects go. Kafka's is below; tests have one that stops at any step."""

    async def tell(self, partition: int, effects: Sequence[Effect]) -> None:
        """Send effects, in their order; they may still be under way when this returns."""
        ...

    async def flush(self, partition: int) -> None:
        """Wait until the broker has all effects told so far for this shard; raises if it refused one."""
        ...


class Telling(NamedTuple):
    """A message under way to the broker, with what it takes to send it again."""

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    sent: asyncio.Future[object]


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
        self._pending: defaultdict[int, list[Telling]] = defaultdict(list)

    async def tell(self, partition: int, effects: Sequence[Effect]) -> None:
        """Send effects, in their order; they may still be under way when this returns."""
        packed = [effect for effect in effects if isinstance(effect, Predicted | Resolved)]
        if packed:
            await self._send(partition, "predictions", None, b"\n".join(map(encode, packed)), [])
        for effect in effects:
            if isinstance(effect, Quarantined):
                await self._send_quarantined(partition, effect)
            elif not isinstance(effect, Predicted | Resolved):
                await self._send(partition, "signals", effect.id.encode(), encode(effect), [])

    async def flush(self, partition: int) -> None:
        """Wait until the broker has all effects told so far for this shard; raises if it refused one."""
        pending = self._pending[partition]
        while pending:
            telling = pending[0]
            try:
                await telling.sent
            except KafkaError as error:
                is_large = isinstance(error, MessageSizeTooLargeError) and len(telling.value) > CUT
                if is_large:  # a topic that was made by hand takes less
                    headers = headers_of_cut(telling.headers, len(telling.value))
                    pending[0] = telling._replace(value=telling.value[:CUT], headers=headers)
                await self._tell_again(partition)
                if not is_large and not isinstance(error, KafkaTimeoutError | KafkaConnectionError):
                    raise  # refused, not only not acknowledged: perhaps it is mended when the next snapshot asks
            else:
                pending.pop(0)

    async def stop(self) -> None:
        """Send what is under way and close the connection to the broker."""
        await self._producer.stop()

    async def _tell_again(self, partition: int) -> None:
        """Send what is not acknowledged once more, through a new producer: after a refusal the old one's sequence has a hole."""
        await self.stop()
        untold, self._pending[partition][:] = list(self._pending[partition]), []
        for again in untold:
            await self._send(partition, again.topic, again.key, again.value, again.headers)

    async def _send_quarantined(self, partition: int, effect: Quarantined) -> None:
        headers = headers_of(effect, f"{self.task}.events", partition)
        await self._send(partition, "quarantine", effect.key, effect.value, headers)

    async def _send(
        self, partition: int, topic: str, key: bytes | None, value: bytes, headers: list[tuple[str, bytes]]
    ) -> None:
        producer = await self._producer.get()
        sent = await producer.send(f"{self.task}.{topic}", value, key=key, partition=partition, headers=headers)
        self._pending[partition].append(Telling(topic, key, value, headers, sent))


def encode(effect: Effect) -> bytes:
    """An effect as JSON."""
    told = msgspec.structs.asdict(effect)
    if isinstance(effect, Predicted):
        told |= effect.prediction.told() if effect.prediction else {"prediction": None, "probabilities": None}
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
