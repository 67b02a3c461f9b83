"""The pending table: what waits in the join, in RocksDB by step and by id; its changelog holds entries in segments."""

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import structlog
from rocksdict import WriteBatch

from headrace.learning.errors import StoreError
from headrace.learning.waiting.join import MODULUS, weight
from headrace.learning.waiting.join import decode as decode_entry
from headrace.learning.waiting.pending import Waiting
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.database import Database
from headrace.tables.segment import SEGMENT_MAX, Packer, Segment, SegmentError, encode, size_of
from headrace.tables.table import LAST, OFFSET, Table, fingerprint

log = structlog.get_logger()

STEP, UNDER, SEGMENT = b"s", b"i", b"g"
"""What begins the keys of the entries, of the steps under an id, and of the segments' log times."""

FOLD = b"\0fold"

CHUNK = 500
"""Entries removed or compared between two turns of the loop: about a millisecond."""

decode_named = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class PendingTable(Table):
    """A table that is written in segments and read entry by entry.

    An entry stays until its waiting time has passed at the clock of the oldest snapshot that recovery may take up: whoever takes the
    shard up goes on from that snapshot or a further one, and does not ask for it. A process that was stopped may leave entries of steps that the shard has yet
    to fold; the fold passes them by, and writes the same ones when it comes to their steps. So entries carry no writer. Segments do:
    a short one of a paused writer must not take the place of a longer one.

    Parameters
    ----------
    changelog, folder
        As for `Table`.
    task
        The name of the task.
    key
        The snapshot key, which signs segments, or None. With one, a record that is not signed is passed by.
    writer
        Names this process among all that ever wrote.
    fold
        The task's fingerprint: entries of another configuration are passed by.
    wait
        Log milliseconds that an entry waits.
    """

    def __init__(
        self, changelog: Changelog, folder: Path, *, task: str, key: bytes | None, writer: str, fold: str, wait: int
    ):
        super().__init__(changelog, folder)
        self.packer = Packer(task, key)
        self.writer, self.fold, self.wait = writer, fold, wait
        self._numbers = count()

    async def append(self, partition: int, entries: list[Waiting]) -> None:
        """Write entries, in the order of their steps; they are durable when this returns."""
        segment = Segment(self.fold, decode_entry(entries[-1].entry).time, entries)
        key = f"{self.writer}/{next(self._numbers)}".encode()
        await self.put(partition, key, self.packer.pack(partition, key, segment))

    def of(self, partition: int, name: str) -> Iterator[Waiting]:
        """The entries under an id, in the order of their steps."""
        database = self._shards[partition]
        for step in _steps(database.get(UNDER + name.encode())):
            kept = database.get(STEP + step)
            if kept is None:
                raise StoreError(
                    f"the pending table has lost an entry of '{name}'.", "It is read again from its topic."
                )
            yield Waiting(int.from_bytes(step, "big"), name, decode_named(kept)[1])

    def following(self, partition: int, step: int) -> Iterator[Waiting]:
        """The entries from this step on, as they are at the call. Close it: while it is open, so is the database."""
        for key, value in self.items(partition, STEP, STEP + step.to_bytes(8, "big")):
            yield Waiting(int.from_bytes(key[1:], "big"), *decode_named(value))

    async def purge(self, partition: int, clock: int) -> None:
        """Remove the entries that had expired at this log time, the clock of the oldest snapshot that recovery may take up."""
        while (database := self._shards.get(partition)) is not None:
            batch, under, full = WriteBatch(raw_mode=True), Under(database), False
            for removed, waiting in enumerate(self.following(partition, 0), 1):
                if decode_entry(waiting.entry).time + self.wait > clock:
                    break
                step = waiting.step.to_bytes(8, "big")
                batch.delete(STEP + step)
                under.remove(waiting.id, step)
                if full := removed == CHUNK:
                    break
            if not batch.len():
                return
            under.write(batch)
            database.write(batch)
            await asyncio.sleep(0)
            if not full:
                break
        if database is not None:
            past = [key for key, at in self.items(partition, SEGMENT) if int.from_bytes(at, "big") + self.wait <= clock]
            for key in past:
                await self.put(partition, key.removeprefix(SEGMENT), None)

    def _is_usable(self, database: Database) -> bool:
        """Whether the entries are of this configuration, and from segments that were signed if this table's are."""
        return database.get(FOLD) in (None, self.packer.mark(self.fold))

    def _read(self, partition: int, entry: Entry) -> Segment | None:
        """A segment; None for a removal and, with a warning, for a record that is none. A state whose entries that had does not fit the table then."""
        if entry.value is None:
            return None
        try:
            return self.packer.unpack(partition, entry.key, entry.value)
        except SegmentError as error:
            where = {"folder": str(self.folder), "partition": partition, "offset": entry.offset}
            log.warning("a record of the pending topic is passed by", error=str(error), **where)
            return None

    def _apply(self, partition: int, database: Database, entry: Entry) -> None:
        batch = WriteBatch(raw_mode=True)
        segment = self._read(partition, entry)
        if entry.value is None:
            batch.delete(SEGMENT + entry.key)
        if segment is not None:
            batch.put(SEGMENT + entry.key, segment.clock.to_bytes(8, "big"))
        if segment is not None and segment.fold == self.fold:
            under = Under(database)
            for number, name, data in segment.entries:
                step = number.to_bytes(8, "big")
                if (kept := database.get(STEP + step)) is not None:
                    under.remove(decode_named(kept)[0], step)
                batch.put(STEP + step, encode((name, data)))
                under.add(name, step)
            under.write(batch)
        batch.put(FOLD, self.packer.mark(self.fold))
        batch.put(LAST, fingerprint(entry))
        batch.put(OFFSET, (entry.offset + 1).to_bytes(8, "big"))
        database.write(batch)


class Under:
    """Changes of the steps under some ids, to be written together."""

    def __init__(self, database: Database):
        self.database = database
        self.changed: dict[str, set[bytes]] = {}

    def add(self, name: str, step: bytes) -> None:
        """Put a step under an id, if it is not there."""
        self._steps(name).add(step)

    def remove(self, name: str, step: bytes) -> None:
        """Take a step away from under an id."""
        self._steps(name).discard(step)

    def write(self, batch: WriteBatch) -> None:
        """Add the changes to a batch."""
        for name, steps in self.changed.items():
            if steps:
                batch.put(UNDER + name.encode(), b"".join(sorted(steps)))
            else:
                batch.delete(UNDER + name.encode())

    def _steps(self, name: str) -> set[bytes]:
        if name not in self.changed:
            self.changed[name] = set(_steps(self.database.get(UNDER + name.encode())))
        return self.changed[name]


class ShardPending:
    """The entries of one shard as its fold reads and writes them: in memory until they are durable.

    Parameters
    ----------
    table
        Opened for this shard.
    partition
        The shard.
    """

    def __init__(self, table: PendingTable, partition: int):
        self.table, self.partition = table, partition
        self._unsaved: list[Waiting] = []
        self._under: dict[str, list[Waiting]] = {}
        self._bytes = 0
        self._saving = asyncio.Lock()
        self._stored: Iterator[Waiting] | None = None
        self._ahead: Waiting | None = None
        self._asked = 0

    def put(self, waiting: Waiting) -> None:
        """Keep an entry; it is durable after the next `save`."""
        self._unsaved.append(waiting)
        self._under.setdefault(waiting.id, []).append(waiting)
        self._bytes += size_of(waiting)

    def of(self, name: str) -> list[Waiting]:
        """The entries under an id, in the order of their steps."""
        stored = self.table.of(self.partition, name)
        unsaved = self._under.get(name)
        if unsaved is None:
            return list(stored)
        return sorted({waiting.step: waiting for waiting in (*stored, *unsaved)}.values())

    def following(self, step: int) -> Waiting | None:
        """The first entry whose step is not before this one."""
        at = bisect_left(self._unsaved, step, key=lambda waiting: waiting.step)
        unsaved = self._unsaved[at] if at < len(self._unsaved) else None
        stored = self._find_stored(step)
        if stored is None or (unsaved is not None and unsaved.step <= stored.step):
            return unsaved
        return stored

    @property
    def is_full(self) -> bool:
        """Whether so much is unsaved that it is time to save it."""
        return self._bytes >= SEGMENT_MAX

    async def save(self) -> None:
        """Make all entries put so far durable."""
        async with self._saving:
            left = len(self._unsaved)
            while left:
                size = taken = 0
                while taken < left and size < SEGMENT_MAX:
                    size += size_of(self._unsaved[taken])
                    taken += 1
                await self.table.append(self.partition, self._unsaved[:taken])
                self._forget(taken, size)
                left -= taken

    async def holds(self, first: int, last: int, entries: int, checksum: int) -> bool:
        """Whether the entries of the steps from `first` to `last` are as many as a state needs, and their weights sum to its checksum."""
        found = summed = 0
        step = first
        while (waiting := self.following(step)) is not None and waiting.step <= last:
            found += 1
            summed += weight(waiting)
            step = waiting.step + 1
            if found % CHUNK == 0:
                await asyncio.sleep(0)
        return (found, summed % MODULUS) == (entries, checksum)

    def close(self) -> None:
        """Let go of the database, so that it can be closed."""
        self._stored = self._ahead = None

    def _forget(self, count: int, size: int) -> None:
        """The first entries are stored now."""
        for waiting in self._unsaved[:count]:
            under = self._under[waiting.id]
            under.remove(waiting)
            if not under:
                del self._under[waiting.id]
        del self._unsaved[:count]
        self._bytes -= size
        self.close()  # it does not see them

    def _find_stored(self, step: int) -> Waiting | None:
        """Asked for steps that grow, this goes through the table once."""
        if self._stored is None or step < self._asked:
            self._stored = self.table.following(self.partition, step)
            self._ahead = next(self._stored, None)
        self._asked = step
        while self._ahead is not None and self._ahead.step < step:
            self._ahead = next(self._stored, None)
        return self._ahead


def _steps(joined: bytes | None) -> list[bytes]:
    return [joined[at : at + 8] for at in range(0, len(joined), 8)] if joined else []
