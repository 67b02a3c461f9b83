"""A producer without a broker."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber

import headrace.tables.kafka.producer


class Record(NamedTuple):
    """A record as it was sent."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Producer:
    """Stands for an aiokafka producer, and for the `LastingProducer` that hands it out, which here is handed out again when it is replaced.

    It keeps to what they promise: `send` returns a future that ends as the broker says, a batch is taken whole or not at all, and what is
    larger than the client's limit is refused before it is sent.

    Parameters
    ----------
    broker
        Called with the records of each message or batch. What it returns is acknowledged, what it raises is what the sender is told. Left
        out, all records are taken.
    is_idempotent
        Whether all is refused that follows a refusal, as by a producer whose sequence has a hole.
    acknowledges
        False where the test ends the futures in `sent` itself; the broker is not asked then.
    value_max
        The client's limit on the bytes of a value.

    Attributes
    ----------
    records
        What was taken, where no broker is given.
    sent
        The future of each send.
    is_stopped
        Whether it was closed.
    """

    def __init__(
        self,
        broker: Callable[[list[Record]], object] | None = None,
        *,
        is_idempotent: bool = False,
        acknowledges: bool = True,
        value_max: int | None = None,
    ):
        self.records, self.sent, self.is_stopped = [], [], False
        self._broker = broker or self.records.extend
        self._is_idempotent, self._acknowledges, self._value_max = is_idempotent, acknowledges, value_max
        self._has_hole = False

    async def send(self, topic, value=None, key=None, partition=None, timestamp_ms=None, headers=()):
        if self._value_max is not None and len(value) > self._value_max:
            raise MessageSizeTooLargeError
        return self._send([Record(topic, partition, key, value, list(headers))])

    async def send_and_wait(self, topic, value=None, key=None, partition=None, timestamp_ms=None, headers=()):
        return await (await self.send(topic, value, key, partition, timestamp_ms, headers))

    def create_batch(self):
        return Batch()

    async def send_batch(self, batch, topic, partition):
        await asyncio.sleep(0)
        return self._send([record._replace(topic=topic, partition=partition) for record in batch.records])

    async def stop(self):
        await asyncio.sleep(0)
        self.is_stopped = True

    async def get(self):
        return self

    def replace(self, producer):
        assert producer is self

    def _send(self, records):
        answer = asyncio.get_running_loop().create_future()
        self.sent.append(answer)
        if self._acknowledges:
            try:
                if self._has_hole:
                    raise OutOfOrderSequenceNumber
                answer.set_result(self._broker(records))
            except Exception as error:
                self._has_hole = self._is_idempotent
                answer.set_exception(error)
        return answer


class Batch:
    """A batch of a `Producer`, which has room for all."""

    def __init__(self):
        self.records = []

    def append(self, *, timestamp, key, value, headers):
        self.records.append(Record("", None, key, value, headers))
        return self.records

    def close(self):
        pass


def starting(monkeypatch, make: Callable[[], Producer]) -> list[Producer]:
    """The producers that are started from now on: whoever starts one gets the next that `make` makes, or the error that it raises."""
    started = []

    async def start(brokers, **options):
        await asyncio.sleep(0)
        started.append(make())
        return started[-1]

    monkeypatch.setattr(headrace.tables.kafka.producer, "start_producer", start)
    return started
