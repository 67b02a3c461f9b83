"""The appender: appends messages in order, so that a later message of a source is never in the log without the earlier ones."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import LastingProducer

BATCH_BYTES = 256 << 10
"""The most bytes of a batch. A broker accepts 1 MB by default; a smaller batch leaves room for a tighter setting."""

RECORD_MAX = 16 << 20
"""The most bytes of a message and its key. The broker decides whether the topic accepts as much."""


CREATED = 0
"""Kafka's word for a timestamp that came with the message. What aiokafka says of the timestamp itself is right for the first of a batch only."""


class NewMessage(NamedTuple):
    """A message to append to a partition, with its key, value and headers, and its time in milliseconds if it is not now."""

    partition: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None


class Appender:
    """Appends messages to one topic, in order whatever fails.

    The order of a producer is not enough. When it gives up a batch, it sends the partition's next batch, and a retry then comes after
    it. So messages travel in batches that the broker takes whole or not at all, and the next batch of a partition is sent only after the
    broker has acknowledged the last one. Partitions do not wait for each other.

    The producer is not idempotent. A message that a retry appends twice is recognised by its source position, and once the broker has
    refused a batch as too large, the sequence numbers of an idempotent producer would never match again.

    Parameters
    ----------
    topic
        `<task>.events` or `<task>.quarantine`.
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.

    Attributes
    ----------
    times_kept
        Whether the broker has kept the times of the messages that had one.
    """

    def __init__(self, topic: str, brokers: Brokers | str):
        self.topic, self.times_kept = topic, True
        self._producer = LastingProducer(brokers, idempotent=False, max_batch_size=BATCH_BYTES)

    async def append(self, messages: Sequence[NewMessage], *, stops: bool = False) -> list[int]:
        """Append messages, those of one partition in their order, and wait for the acknowledgement of each.

        Parameters
        ----------
        messages
            What is appended.
        stops
            Whether a partition gets nothing that comes after a message that is too large.

        Returns
        -------
        The indices of the messages that are too large for the broker, and were not appended.

        Raises
        ------
        KafkaError
            The broker failed. The first messages of each partition may be in the log; the caller appends all of them again.
        """
        shards: defaultdict[int, list[int]] = defaultdict(list)
        for number, message in enumerate(messages):
            shards[message.partition].append(number)
        producer = await self._producer.get()
        lines = [self._append_line(producer, messages, numbers, stops=stops) for numbers in shards.values()]
        done = await asyncio.gather(*lines, return_exceptions=True)  # all have ended before a caller sends again
        refused: list[int] = []
        for outcome in done:
            if isinstance(outcome, BaseException):
                self._producer.replace(producer)
                raise outcome
            refused += outcome
        return sorted(refused)

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self._producer.stop()

    async def _append_line(
        self, producer: AIOKafkaProducer, messages: Sequence[NewMessage], numbers: Sequence[int], *, stops: bool
    ) -> list[int]:
        """Append the messages of one partition; return the indices of those that the broker refused."""
        refused: list[int] = []
        waiting = list(reversed(pack(messages, numbers)))
        while waiting:
            batch = waiting.pop()
            try:
                await self._send(producer, [messages[number] for number in batch])
            except MessageSizeTooLargeError:
                if len(batch) == 1:
                    refused += batch
                    if stops:
                        break
                else:  # the topic takes less than it usually does
                    waiting += ([number] for number in reversed(batch))
        return refused

    async def _send(self, producer: AIOKafkaProducer, messages: Sequence[NewMessage]) -> None:
        batch = producer.create_batch()
        for message in messages:
            if size_of(message) > RECORD_MAX:
                raise MessageSizeTooLargeError
            added = batch.append(
                timestamp=message.timestamp, key=message.key, value=message.value, headers=list(message.headers)
            )
            assert added is not None, "a batch is packed to have room"
        batch.close()
        written = await (await producer.send_batch(batch, self.topic, partition=messages[0].partition))
        if messages[0].timestamp is not None:
            self.times_kept = self.times_kept and written.timestamp_type == CREATED


def size_of(message: NewMessage) -> int:
    """Bytes of a row in a batch, a few too many rather than too few."""
    headers = sum(len(name) * 4 + len(value) + 10 for name, value in message.headers)
    return len(message.value) + len(message.key or b"") + headers + 32


def pack(messages: Sequence[NewMessage], numbers: Sequence[int]) -> list[list[int]]:
    """Group messages into batches of up to BATCH_BYTES each, by their indices; a larger message has a batch of its own.

    Examples
    --------
    >>> messages = [NewMessage(0, None, bytes(size)) for size in (200_000, 50_000, 50_000, 300_000)]
    >>> pack(messages, range(4))
    [[0, 1], [2], [3]]
    """
    batches: list[list[int]] = []
    room = 0
    for number in numbers:
        size = size_of(messages[number])
        if not batches or size > room:
            batches.append([])
            room = BATCH_BYTES - 1024  # the batch has a header of its own
        batches[-1].append(number)
        room -= size
    return batches
