"""Fills the event log of a task with the records of another's: the way to another kind, or another number of partitions."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from heapq import heapify, heappop, heapreplace
from typing import Any, NamedTuple

import msgspec

from headrace.agents.jobs.order import Progress
from headrace.agents.replay.replay import TELL_SECONDS, ReplayError
from headrace.learning.fold.sources import advance
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task
from headrace.tables.kafka.appender import Appender, NewMessage
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.log import EventLog, KafkaEventLog
from headrace.tables.kafka.metadata import find_topics
from headrace.tables.kafka.partitioner import partition_of
from headrace.tables.kafka.timestamps import keeping_timestamps
from headrace.tables.kafka.topics import connect, prepare, topics_of

MESSAGE_MAX = 900_000
"""Bytes of rows in one message: what a broker takes, less room for key and headers. A single row may be larger."""

APPENDED_MAX = 4 << 20
"""The approximate bytes that are appended at once."""

Places = dict[str, tuple[int, int]]
"""`<topic>/<partition>` of each source, with the last offset and row that was seen of it."""


class Outgoing(NamedTuple):
    """A message for the new log."""

    partition: int
    key: bytes | None
    value: bytes
    timestamp: int
    rows: int


class Filled(msgspec.Struct):
    """What became of the records.

    Parameters
    ----------
    appended
        Records that were appended, or would be, and how many of them to each shard.
    known
        Records that were in the new log already.
    repeated
        Records that stood in the old log a second time, and were skipped there: a source had sent them twice.
    controls
        Control records: they are left out.
    unreadable
        Lines that are no JSON objects.
    times_kept
        Whether the broker has kept the times of the old log.
    """

    shards: list[int]
    appended: int = 0
    known: int = 0
    repeated: int = 0
    controls: int = 0
    unreadable: int = 0
    times_kept: bool = True


class Rewriter:
    """Makes the messages of the new log from those of the old one.

    Each record gets its place in the old log as its `source`, by which the fold of the new task skips what it has folded already. Records
    with a key go where the key belongs. Those without go by their id, so that a question and its label meet, and those without an id in turn.

    Parameters
    ----------
    old, new
        The tasks.
    known
        For each shard of the new log, the places of the old one that it has already.

    Attributes
    ----------
    filled
        What became of the records so far.
    """

    def __init__(self, old: Task, new: Task, known: Sequence[Places]):
        self.old, self.new, self.known = old, new, known
        self.filled = Filled([0] * new.partitions)
        self._sources: dict[int, Places] = {}

    def rewrite(self, partition: int, message: KafkaMessage) -> list[Outgoing]:
        """Make the messages for one message of the old log, in the order of its rows."""
        by_shard: dict[int, list[bytes]] = {}
        for row, line in enumerate((message.value or b"").removesuffix(b"\n").split(b"\n")):
            record = self._read(partition, line)
            if record is None:
                continue
            at = self._shard_of(message, record)
            source = f"{self.old.events}/{partition}/{message.offset}/{row}"
            if advance(self.known[at], source) == "known":
                self.filled.known += 1
                continue
            self.filled.shards[at] += 1
            self.filled.appended += 1
            by_shard.setdefault(at, []).append(self._write(record, line, source))
        return [
            Outgoing(at, message.key, b"\n".join(rows), message.timestamp, len(rows))
            for at, lines in by_shard.items()
            for rows in _cut(lines)
        ]

    def _read(self, partition: int, line: bytes) -> dict[str, Any] | None:
        """Read a record of the old log; None if it must not be taken over, which is counted."""
        try:
            record = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            record = None
        if not isinstance(record, dict):
            self.filled.unreadable += 1
            return None
        if "control" in record:
            self.filled.controls += 1
            return None
        if isinstance(record.get("source"), str):
            try:
                verdict = advance(self._sources.setdefault(partition, {}), record["source"])
            except ValueError:  # it is no place: the fold has refused the record, and refuses it again
                return record
            if verdict == "known":
                self.filled.repeated += 1
                return None
        return record

    def _shard_of(self, message: KafkaMessage, record: dict[str, Any]) -> int:
        if message.key is not None:
            return partition_of(message.key, self.new.partitions)
        if isinstance(name := record.get("id"), str):
            return partition_of(name, self.new.partitions)
        return message.offset % self.new.partitions

    def _write(self, record: dict[str, Any], line: bytes, source: str) -> bytes:
        """Write a record with its source; what the user was served has no place in a task of another kind."""
        foreign = self.old.kind != self.new.kind and "served" in record
        if "source" in record or foreign or not record:
            kept = {
                name: value for name, value in record.items() if name != "source" and not (foreign and name == "served")
            }
            return msgspec.json.encode(kept | {"source": source})
        return line.rstrip()[:-1] + b',"source":' + msgspec.json.encode(source) + b"}"


async def merged(log: EventLog, ends: dict[int, int]) -> AsyncIterator[tuple[int, KafkaMessage]]:
    """Yield the messages of all partitions of a log, each partition in its order, and all of them by their log time.

    So what waits in the new shards waits as long as it did: read one partition after the other, the first would have moved the clock to the
    end before the second begins.

    Parameters
    ----------
    log
        The old log.
    ends
        The partitions, each with the offset before which to stop.
    """
    async with AsyncExitStack() as stack:
        readers: dict[int, AsyncGenerator[KafkaMessage]] = {}
        heap: list[tuple[int, int]] = []
        heads: dict[int, KafkaMessage] = {}
        for partition, end in ends.items():
            if end == 0:
                continue
            reader = await stack.enter_async_context(aclosing(log.read(partition, 0, end)))
            head = await anext(reader, None)
            if head is not None:
                readers[partition], heads[partition] = reader, head
                heap.append((head.timestamp, partition))
        heapify(heap)
        while heap:
            clock, partition = heap[0]
            yield partition, heads[partition]
            head = await anext(readers[partition], None)
            if head is None:
                heappop(heap)
            else:
                heads[partition] = head
                heapreplace(heap, (max(clock, head.timestamp), partition))


async def find_known(log: EventLog, old: Task, new: Task) -> list[Places]:
    """Find which records of the old log each shard of the new one has already.

    Raises
    ------
    ReplayError
        A shard of the new log begins with something else: its clock may be ahead of the records already, and stays there.
    """
    known: list[Places] = [{} for _ in range(new.partitions)]
    prefix = f"{old.events}/"
    for partition, end in (await log.ends(range(new.partitions))).items():
        if end == 0:
            continue
        async with aclosing(log.read(partition, 0, end)) as messages:
            is_first = True
            async for message in messages:
                is_ours = prefix.encode() in (message.value or b"")
                if is_first and not is_ours:
                    raise ReplayError(
                        f"{new.events}/{partition} begins with records of its own.",
                        f"Fill a new task before its workers start: choose another name, or stop them and delete the topics of {new.name}.",
                    )
                is_first = False
                if is_ours:
                    for source in _sources_in(message.value or b"", prefix):
                        with suppress(ValueError):  # it is no place: somebody else has written it
                            advance(known[partition], source)
    return known


async def fill(
    brokers: Brokers, old: Task, new: Task, *, dry_run: bool, tell: Callable[[Progress], None] = lambda _: None
) -> Filled:
    """Append the records of one task's log to the log of another.

    Parameters
    ----------
    brokers
        Where Kafka is.
    old, new
        The tasks.
    dry_run
        Only count.
    tell
        Is called with the progress now and then.

    Raises
    ------
    ReplayError
        The two are the same, the new task has sources or records of its own, or a row is too large for its log.
    LogError
        Retention has removed the beginning of the old log.
    KafkaError, OSError
        The broker failed. Begun again, it goes on where it stopped.
    """
    if old.name == new.name:
        raise ReplayError(f"{old.name} cannot be filled with itself.", "Name another task of headrace.toml.")
    if new.sources:
        raise ReplayError(
            f"{new.name} gets its records from sources of its own, and would get them twice.",
            "Take `sources` out of the new task, and its workers, until it is filled; or let it read its sources alone.",
        )
    old_log, new_log = KafkaEventLog(old.events, brokers), KafkaEventLog(new.events, brokers)
    try:
        ends = await old_log.ends(range(old.partitions))
        known: list[Places] = [{} for _ in range(new.partitions)]
        if not dry_run:
            await prepare(brokers, topics_of(new))
        if not dry_run or await _exists(brokers, new):
            known = await find_known(new_log, old, new)
        rewriter = Rewriter(old, new, known)
        messages = _rewritten(merged(old_log, ends), rewriter, sum(ends.values()), tell)
        if dry_run:
            async for _ in messages:
                pass
        else:
            async with keeping_timestamps(brokers, new.events):
                await append(brokers, new, messages, rewriter.filled)
        return rewriter.filled
    finally:
        await old_log.stop()
        await new_log.stop()


async def _exists(brokers: Brokers, task: Task) -> bool:
    admin = await connect(brokers)
    try:
        return task.events in await find_topics(admin, [task.events])
    finally:
        await admin.close()


async def _rewritten(
    messages: AsyncIterator[tuple[int, KafkaMessage]], rewriter: Rewriter, total: int, tell: Callable[[Progress], None]
) -> AsyncIterator[Outgoing]:
    started = told_at = time.monotonic()
    done = 0
    async for partition, message in messages:
        for outgoing in rewriter.rewrite(partition, message):
            yield outgoing
        done += 1
        now = time.monotonic()
        if now - told_at >= TELL_SECONDS:
            told_at = now
            tell(Progress(done, max(total, done), done / max(now - started, 1e-6)))


async def append(brokers: Brokers, new: Task, messages: AsyncIterator[Outgoing], filled: Filled) -> None:
    """Append messages, and wait until the broker has all.

    A shard gets nothing that comes after what the broker has not taken: by the last place that a shard has of the old log, a second run
    knows all places before it. A message that is too large is cut into its rows.

    Raises
    ------
    ReplayError
        A row is too large for the new log.
    KafkaError
        The broker failed.
    """
    appender = Appender(new.events, brokers)
    try:
        waiting: list[Outgoing] = []
        size = 0
        async for one in messages:
            waiting.append(one)
            size += len(one.value)
            if size >= APPENDED_MAX:
                await _append_all(appender, waiting)
                waiting, size = [], 0
        await _append_all(appender, waiting)
        filled.times_kept = appender.times_kept
    finally:
        await appender.stop()


async def _append_all(appender: Appender, messages: list[Outgoing]) -> None:
    while messages:
        packed = [NewMessage(one.partition, one.key, one.value, timestamp=one.timestamp) for one in messages]
        refused = {messages[number].partition: number for number in await appender.append(packed, stops=True)}
        left: list[Outgoing] = []
        for number, one in enumerate(messages):
            if number >= refused.get(one.partition, len(messages)):
                left += _halves(one, appender.topic) if number == refused[one.partition] else [one]
        messages = left


def _halves(one: Outgoing, topic: str) -> list[Outgoing]:
    """Cut a message that was too large into two. ReplayError if it has one row alone."""
    rows = one.value.split(b"\n")
    if len(rows) == 1:
        source = msgspec.json.decode(rows[0])["source"]
        raise ReplayError(
            f"the record at {source} is too large for {topic}: with its place it has {len(rows[0]):,} bytes.",
            "Raise max.message.bytes of that topic, and begin again: it goes on where it stopped.",
        )
    parts = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    return [one._replace(value=b"\n".join(part), rows=len(part)) for part in parts]


def _cut(lines: list[bytes]) -> Iterable[list[bytes]]:
    """Cut the rows of a message, which have become longer, into messages that a broker takes."""
    rows: list[bytes] = []
    size = 0
    for line in lines:
        if rows and size + len(line) > MESSAGE_MAX:
            yield rows
            rows, size = [], 0
        rows.append(line)
        size += len(line) + 1
    if rows:
        yield rows


def _sources_in(value: bytes, prefix: str) -> Iterable[str]:
    for line in value.split(b"\n"):
        try:
            record = msgspec.json.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("source"), str) and record["source"].startswith(prefix):
            yield record["source"]
