"""The appender: brings records into a task's event log so that what comes later in a source never gets in without what is before."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import LastingProducer

BATCH_BYTES = 256 << 10
"""Bytes in one batch. A broker takes 1 MB by default; a smaller batch leaves room for a tighter setting."""

RECORD_MAX = 16 << 20
"""Bytes in one record, its key included; whether the topic takes as much, the broker says."""


class Row(NamedTuple):
    """A message to append."""

    partition: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Appender:
    """Appends to one topic, in order whatever fails.

    A producer's own order is not enough: when it gives up a batch, it goes on with the next one of the partition, and what is then
    sent again comes behind its successors. So rows travel in batches that the broker takes whole or not at all, and a partition's
    next batch is not sent before the broker has acknowledged the last. Partitions do not wait for each other.

    The producer is not idempotent: what a retry appends twice is known by its source, and sequence numbers would be out of step for
    ever once the broker has refused a batch as too large.

    Parameters
    ----------
    topic
        `<task>.events` or `<task>.quarantine`.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic = topic
        self._producer = LastingProducer(brokers, idempotent=False, max_batch_size=BATCH_BYTES)

    async def append(self, rows: Sequence[Row]) -> list[int]:
        """Append rows, those of a partition in their order. The broker has all when this returns, but those it will never take.

        Which these are, being too large, is returned by their numbers. Raises what the broker failed with; then some rows may be in
        the log, of each partition the first ones, and the caller appends all again.
        """
        shards: defaultdict[int, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            shards[row.partition].append(number)
        producer = await self._producer.get()
        lines = [self._append_line(producer, rows, numbers) for numbers in shards.values()]
        done = await asyncio.gather(*lines, return_exceptions=True)  # all have ended before anything is sent again
        for outcome in done:
            if isinstance(outcome, BaseException):
                self._producer.replace(producer)
                raise outcome
        return sorted(number for refused in done for number in refused)  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self._producer.stop()

    async def _append_line(self, producer: AIOKafkaProducer, rows: Sequence[Row], numbers: Sequence[int]) -> list[int]:
        """Append the rows of one partition; the numbers of those refused."""
        refused: list[int] = []
        waiting = list(reversed(pack(rows, numbers)))
        while waiting:
            batch = waiting.pop()
            try:
                await self._send(producer, [rows[number] for number in batch])
            except MessageSizeTooLargeError:
                if len(batch) == 1:
                    refused += batch
                else:  # the topic takes less than it usually does
                    waiting += ([number] for number in reversed(batch))
        return refused

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[Row]) -> None:
        batch = producer.create_batch()
        for row in rows:
            if size_of(row) > RECORD_MAX:
                raise MessageSizeTooLargeError
            added = batch.append(timestamp=None, key=row.key, value=row.value, headers=list(row.headers))
            assert added is not None, "a batch is packed to have room"
        batch.close()
        await (await producer.send_batch(batch, self.topic, partition=rows[0].partition))


def size_of(row: Row) -> int:
    """Bytes of a row in a batch, a few too many rather than too few."""
    headers = sum(len(name) * 4 + len(value) + 10 for name, value in row.headers)
    return len(row.value) + len(row.key or b"") + headers + 32


def pack(rows: Sequence[Row], numbers: Sequence[int]) -> list[list[int]]:
    """Put rows together in batches of up to BATCH_BYTES; a larger row is alone in its own.

    Examples
    --------
    >>> rows = [Row(0, None, bytes(size)) for size in (200_000, 50_000, 50_000, 300_000)]
    >>> pack(rows, range(4))
    [[0, 1], [2], [3]]
    """
    batches: list[list[int]] = []
    room = 0
    for number in numbers:
        size = size_of(rows[number])
        if not batches or size > room:
            batches.append([])
            room = BATCH_BYTES - 1024  # the batch has a header of its own
        batches[-1].append(number)
        room -= size
    return batches
