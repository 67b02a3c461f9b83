"""An ordered partition: takes the messages of one partition in the order of their offsets, each exactly once."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import pairwise
from typing import ClassVar, Literal, Protocol

import structlog
from aiokafka.errors import KafkaError

from headrace.agents.telemetry import Telemetry
from headrace.learning.plain import plain_error
from headrace.learning.records.mark import KafkaMessage

log = structlog.get_logger()


class Readable(Protocol):
    """Reads a log without a consumer group."""

    def read(self, partition: int, start: int, end: int) -> AsyncGenerator[KafkaMessage]:
        """Yield the messages of [start, end)."""
        ...


RUN_BYTES = 1_000_000
"""Messages that are read from the log are taken together up to about this size."""


class OrderedPartition(ABC):
    """Takes the messages of one partition in the order of their offsets, each exactly once. Shards and intakes are ordered partitions.

    A message before the position is a duplicate and is skipped. A message after it leaves a gap, which is read from the log first: Faust
    loses messages around a rebalance. Only a live partition takes messages. It may be revoked during any `await`, so the status is checked
    again after each.

    Parameters
    ----------
    log
        The log from which gaps are read.
    partition
        The number of the partition in the log.
    where
        The fields that name the partition in log lines.
    telemetry
        Counts the gaps that are read.

    Attributes
    ----------
    what, log_word
        The names of the partition and of its log in log lines.
    trusts_deliveries
        Whether missing offsets within a delivery hold no message. If false, they are a gap.
    compares_before_gap
        Whether the log is compared before each gap is read, and not only before a delivery with another link.
    compares_duplicates
        Whether the log is compared before a delivery that has only duplicates.
    run_max
        The number of messages of a gap that are taken together.
    position
        The offset of the next message to take.
    error
        Why the partition is stopped, or why it makes no progress now.
    """

    what: ClassVar[str]
    log_word: ClassVar[Literal["log", "source"]] = "log"
    trusts_deliveries: ClassVar[bool] = False
    compares_before_gap: ClassVar[bool] = True
    compares_duplicates: ClassVar[bool] = False
    run_max: ClassVar[int] = 1

    status: Literal["opening", "live", "stopped", "stale", "closed"]
    error: str | None

    def __init__(self, log: Readable, partition: int, where: Mapping[str, object], telemetry: Telemetry | None = None):
        self.partition, self.where, self.telemetry = partition, where, telemetry or Telemetry()
        self.taking = asyncio.Lock()
        self._log = log
        self._link: object = None

    @property
    @abstractmethod
    def position(self) -> int:
        """Return the offset of the next message to take."""

    @abstractmethod
    async def take(self, messages: Sequence[KafkaMessage]) -> None:
        """Take messages, none of which is before the position. Offsets that are missing before or among them hold no message."""

    @abstractmethod
    async def pass_over(self, offset: int) -> None:
        """Move the position up to an offset, unless it is there already. The offsets between hold no message."""

    @abstractmethod
    async def compare(self) -> None:
        """Check that the log is still the one from which messages were taken. LogError if it is another log."""

    @abstractmethod
    async def handle(self, error: Exception) -> None:
        """Handle an error that keeps the partition from going on."""

    async def deliver(self, messages: Sequence[KafkaMessage], link: object = None) -> None:
        """Take the messages of a delivery, after those that are missing before them have been read from the log.

        Parameters
        ----------
        messages
            The messages of one fetch, in the order of their offsets.
        link
            An object that an unbroken run of deliveries shares. With the same link as the delivery before, nothing can have happened to the log
            in between. With another link, or None, the log is compared first, since it may be another log.
        """
        async with self.taking:
            await self.guard(self._take_delivered(messages, link))

    async def read_gap(self, end: int) -> None:
        """Read the messages from the position up to `end` from the log, and take them."""
        if self.position >= end or self.status != "live":
            return
        log.info(
            f"reading from the {self.log_word} what was not delivered",  # noqa: G004 one of two words
            position=self.position,
            end=end,
            **self.where,
        )
        self.telemetry.gaps[self.log_word] += 1
        self.telemetry.gap_messages[self.log_word] += end - self.position
        if self.compares_before_gap:
            await self.compare()
        run: list[KafkaMessage] = []
        size = 0
        async with aclosing(self._log.read(self.partition, self.position, end)) as messages:
            async for message in messages:
                if self.status != "live":
                    return
                run.append(message)
                size += len(message.value or b"")
                if len(run) == self.run_max or size > RUN_BYTES:
                    await self._take_new(run)
                    run, size = [], 0
        await self._take_new(run)
        if self.status == "live":
            await self.pass_over(end)

    async def guard(self, work: Coroutine[None, None, None]) -> Exception | None:
        """Do some work under the lock. A broker error, which is temporary, is logged and returned; any other error goes to `handle`."""
        try:
            await work
        except (KafkaError, OSError) as error:
            # The position counts only messages that were taken, so missing ones are read again.
            log.warning("the broker failed", error=plain_error(error), **self.where)
            return error
        except Exception as error:  # noqa: BLE001 a defect of one partition must not take the others along
            await self.handle(error)
        return None

    def halt(self, error: Exception) -> bool:
        """Stop this partition alone, and log the error. Returns False if the partition was closed or stopped before."""
        if self.status not in ("opening", "live"):
            return False
        self.status = "stopped"
        self.error = plain_error(error)
        log.error(f"{self.what} is stopped", error=self.error, exc_info=error, **self.where)  # noqa: G004 one of two words
        return True

    async def _take_delivered(self, messages: Sequence[KafkaMessage], link: object) -> None:
        if self.status != "live":
            return
        if messages[-1].offset < self.position and not self.compares_duplicates:
            return
        if link is None or link is not self._link:
            await self.compare()
            self._link = link
        for run in [messages] if self.trusts_deliveries else split_at_gaps(messages):
            await self.read_gap(run[0].offset)
            await self._take_new(run)

    async def _take_new(self, messages: Sequence[KafkaMessage]) -> None:
        if messages and messages[0].offset < self.position:
            messages = [message for message in messages if message.offset >= self.position]
        if messages and self.status == "live":
            await self.take(messages)


def split_at_gaps(messages: Sequence[KafkaMessage]) -> Iterator[Sequence[KafkaMessage]]:
    """Yield the runs of messages whose offsets follow each other."""
    start = 0
    if messages[-1].offset - messages[0].offset >= len(messages):
        for at, (before, message) in enumerate(pairwise(messages), 1):
            if message.offset != before.offset + 1:
                yield messages[start:at]
                start = at
    yield messages[start:]
