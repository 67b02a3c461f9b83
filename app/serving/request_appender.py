"""Appends the records of requests to event logs: samples, labels, and answered questions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import RecordMetadata

from headrace.app.answers import At
from headrace.app.serving.refused import RequestRefused
from headrace.learning.plain import plain_error, plain_failure
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.partitioner import partition_of
from headrace.tables.kafka.producer import LastingProducer

log = structlog.get_logger()

APPEND_SECONDS = 15.0
"""How long the broker may take to acknowledge the records of one request."""

UNDER_WAY_MAX = 10_000
"""The largest number of unacknowledged questions for which no request waits; more are refused."""


class Later(NamedTuple):
    """A record for which no request waits: its task, its key, and a function that is called with its offset, or with None if it was not appended."""

    task: Task
    key: str | None
    record: bytes
    sent: Callable[[int | None], None]


class RequestAppender:
    """Appends the records of requests to event logs, each to the shard of its key.

    Parameters
    ----------
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.

    Attributes
    ----------
    appended, failed, refused
        The numbers of questions for which no request waited: acknowledged, not taken by the broker, refused because too many were under way.
    """

    def __init__(self, brokers: Brokers | str):
        self.appended = 0
        self.failed = 0
        self.refused = 0
        self._producer = LastingProducer(brokers)
        self._later: list[Later] = []
        self._unacknowledged = 0
        self._under_way: set[asyncio.Task[None]] = set()

    async def append(self, task: Task, rows: list[tuple[str | None, bytes]]) -> list[At]:
        """Append (key, record) rows in order, wait for the broker's acknowledgement, and return partition and offset of each.

        Raises
        ------
        RequestRefused
            A record has more bytes than the broker takes (`too_large`), or the broker did not take all records (`unavailable`).
        """
        return await self._wait(self._append(task, rows))

    async def append_to(self, task: Task, partitions: Iterable[int], record: bytes) -> list[At]:
        """Append a record to each of these partitions; as `append`."""
        return await self._wait(self._send(task, [(partition, None, record) for partition in partitions]))

    async def _wait(self, appending: Awaitable[list[At]]) -> list[At]:
        try:
            return await asyncio.wait_for(appending, APPEND_SECONDS)
        except MessageSizeTooLargeError:
            what = "a record has more bytes than the broker takes. Those before it may be in the log."
            raise RequestRefused("too_large", "too_large", what, "Send less in one record.") from None
        except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
            what = f"the broker did not take every record: {plain_failure(error)}. Some may be in the log."
            remedy = "Send them again. The fold recognises a second copy of a question or a label by its `id`, of a sample only by its `source`."
            raise RequestRefused("unavailable", "broker", what, remedy, retry=True) from None

    def append_later(
        self, task: Task, key: str | None, record: bytes, sent: Callable[[int | None], None] = lambda _: None
    ) -> bool:
        """Begin to append a record for which no request waits; False if too many are under way already.

        `sent` is called with the offset of the record, or with None if it was not appended.
        """
        if self._unacknowledged >= UNDER_WAY_MAX:
            self.refused += 1
            sent(None)
            return False
        self._unacknowledged += 1
        self._later.append(Later(task, key, record, sent))
        if len(self._later) == 1:  # those of one turn of the event loop are sent together
            asyncio.get_running_loop().call_soon(self._begin)
        return True

    async def stop(self) -> None:
        """Wait a limited time for records under way, cancel the rest, and close the connection to the broker."""
        self._begin()
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=APPEND_SECONDS)
            for sending in late:
                sending.cancel()
        await self._producer.stop()

    def _begin(self) -> None:
        """Begin to send the records for which no request waits."""
        if self._later:
            rows, self._later = self._later, []
            sending = asyncio.create_task(self._append_later(rows))
            self._under_way.add(sending)
            sending.add_done_callback(self._under_way.discard)

    async def _append_later(self, rows: list[Later]) -> None:
        """Append records, and note for each what became of it. A record that the broker does not take is in no other's way."""
        unsent, pending = deque(rows), dict[asyncio.Future[RecordMetadata], Later]()

        def note(sending: asyncio.Future[RecordMetadata]) -> None:
            row = pending.pop(sending, None)
            if row is not None:
                error = asyncio.CancelledError() if sending.cancelled() else sending.exception()
                self._note_end(row, error or sending.result().offset)
                if isinstance(error, KafkaError):
                    self._producer.replace(producer)

        try:
            producer = await self._producer.get()
            while unsent:
                row = unsent[0]
                partition = None if row.key is None else partition_of(row.key, row.task.partitions)
                key = None if row.key is None else row.key.encode()
                try:
                    sending = await producer.send(row.task.events, row.record, key=key, partition=partition)
                except KafkaError as error:
                    self._note_end(unsent.popleft(), error)
                    continue
                pending[sending] = unsent.popleft()
                sending.add_done_callback(note)
            if pending:
                await asyncio.wait(list(pending))
        except BaseException as error:
            left = [*pending.values(), *unsent]
            pending.clear()
            for row in left:
                self._note_end(row, error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _note_end(self, row: Later, end: int | BaseException) -> None:
        """Count a record for which no request waits, by its offset or its error. Log the error, which nobody else would see."""
        self._unacknowledged -= 1
        if isinstance(end, int):
            self.appended += 1
            row.sent(end)
            return
        self.failed += 1
        row.sent(None)
        defect = None if isinstance(end, KafkaError | OSError | asyncio.CancelledError) else end
        log.warning("a question was not logged", task=row.task.name, error=plain_error(end), exc_info=defect)

    async def _append(self, task: Task, rows: list[tuple[str | None, bytes]]) -> list[At]:
        placed: list[tuple[int | None, bytes | None, bytes]] = [
            (None, None, value) if key is None else (partition_of(key, task.partitions), key.encode(), value)
            for key, value in rows
        ]
        return await self._send(task, placed)

    async def _send(self, task: Task, rows: list[tuple[int | None, bytes | None, bytes]]) -> list[At]:
        """Send (partition, key, record) rows, and return where they are, once the broker has them all."""
        producer, sent = await self._producer.get(), []
        for partition, key, value in rows:
            sent.append(await producer.send(task.events, value, key=key, partition=partition))
        try:
            return [At(at.partition, at.offset) for at in await asyncio.gather(*sent)]
        except KafkaError:
            self._producer.replace(producer)
            raise
