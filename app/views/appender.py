"""What the views append to event logs: samples, labels, and the questions that were answered."""

import asyncio
from collections.abc import Callable

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from headrace.app.answers import At
from headrace.app.errors import Problem
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.partitioner import partition_of
from headrace.tables.kafka.producer import LastingProducer

log = structlog.get_logger()

APPEND_SECONDS = 15.0
"""How long the broker may take to acknowledge the records of one request."""

UNDER_WAY_MAX = 10_000
"""Questions that nobody waits for and that are not acknowledged yet; more are not taken."""


class Appender:
    """Appends records where their keys say.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.

    Attributes
    ----------
    appended, failed, refused
        Questions for whose acknowledgement nobody waited: the broker has them, it did not take them, too many were under way. So far.
    """

    def __init__(self, brokers: Brokers | str):
        self.appended = 0
        self.failed = 0
        self.refused = 0
        self._producer = LastingProducer(brokers)
        self._under_way: set[asyncio.Task[None]] = set()

    async def append(self, task: Task, rows: list[tuple[str | None, bytes]]) -> list[At]:
        """Append (key, record) rows, in their order; partition and offset of each, once the broker has them all.

        Raises
        ------
        Problem
            413: one has more bytes than the broker takes. 503: the broker did not take them all.
        """
        try:
            return await asyncio.wait_for(self._append(task, rows), APPEND_SECONDS)
        except MessageSizeTooLargeError:
            detail = "a record has more bytes than the broker takes. Those before it may be in the log."
            raise Problem(413, "too_large", detail, "Send less in one record.") from None
        except (KafkaError, OSError) as error:  # a time that is up is an OSError
            detail = f"the broker did not take every record: {error!r}. Some may be in the log."
            remedy = "Send them again. Of questions and labels the fold takes the first of an id; of samples only those with a `source` are told apart."
            raise Problem(503, "broker", detail, remedy, {"Retry-After": "1"}) from None

    def append_later(
        self, task: Task, key: str | None, record: bytes, sent: Callable[[int | None], None] = lambda _: None
    ) -> bool:
        """Append a record for which nobody waits; False when too many are under way already.

        `sent` is called with its offset, or with None when it is not appended.
        """
        if len(self._under_way) >= UNDER_WAY_MAX:
            self.refused += 1
            sent(None)
            return False
        sending = asyncio.create_task(self._send(task, key, record, sent))
        self._under_way.add(sending)
        sending.add_done_callback(self._under_way.discard)
        return True

    async def stop(self) -> None:
        """Send what is under way, for a limited time, and close the connection."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=APPEND_SECONDS)
        await self._producer.stop()

    async def _send(self, task: Task, key: str | None, record: bytes, sent: Callable[[int | None], None]) -> None:
        try:
            (at,) = await self._append(task, [(key, record)])
            self.appended += 1
            sent(at.offset)
        except (KafkaError, OSError) as error:
            self.failed += 1
            sent(None)
            log.warning("a question was not logged", task=task.name, error=repr(error))

    async def _append(self, task: Task, rows: list[tuple[str | None, bytes]]) -> list[At]:
        producer, sent = await self._producer.get(), []
        for key, value in rows:
            partition = None if key is None else partition_of(key, task.partitions)
            encoded = None if key is None else key.encode()
            sent.append(await producer.send(task.events, value, key=encoded, partition=partition))
        try:
            return [At(at.partition, at.offset) for at in await asyncio.gather(*sent)]
        except KafkaError:
            self._producer.replace(producer)
            raise
