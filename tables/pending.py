"""The pending table: the entries of the join in RocksDB, by step and by id. Its changelog holds them in segments."""

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
from headrace.learning.waiting.pending import PendingEntry
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.database import Database
from headrace.tables.segment import SEGMENT_MAX, Packer, Segment, SegmentError, encode, size_of
from headrace.tables.table import LAST, OFFSET, Table, fingerprint

log = structlog.get_logger()

STEP, ID, SEGMENT = b"s", b"i", b"g"
"""The prefixes of the keys of entries, of the index of steps by id, and of the segments' log times."""

FOLD, BEGUN = b"\0fold", b"\0begun"

CHUNK = 500
"""The number of entries that are removed or compared between two turns of the event loop: about a millisecond."""

decode_named = msgspec.msgpack.Decoder(tuple[str, bytes]).decode


class PendingTable(Table):
    """A table of pending entries, which is written in segments and read entry by entry.

    An entry is removed when its waiting time has passed at the clock of the oldest snapshot that recovery may use: no recovery needs the
    entry then.

    A process that was stopped may leave entries of steps that the shard has not folded yet. The fold ignores them, and writes the same
    entries when it comes to their steps, so the key of an entry needs no writer. The key of a segment has one: a short segment of a paused
    writer must not replace a longer one.

    Parameters
    ----------
    changelog, folder
        As for `Table`.
    task
        The name of the task.
    snapshot_key
        The key that signs segments, or None. With a key, unsigned records are ignored.
    writer
        A name that no other process has or had.
    fold
        The fingerprint of the definition by which a fold of the log begins, where the database does not say so: entries of a fold that has
        begun by another one are ignored. See `adopt`.
    """

    def __init__(
        self,
        changelog: Changelog,
        folder: Path,
        *,
        task: str,
        snapshot_key: bytes | None,
        writer: str,
        fold: str,
    ):
        super().__init__(changelog, folder)
        self.packer = Packer(task, snapshot_key)
        self.writer, self.fold = writer, fold
        self._folds: dict[int, str] = {}
        self._numbers = count()

    async def append(self, partition: int, entries: list[PendingEntry]) -> None:
        """Write entries, in the order of their steps, and wait until they are durable."""
        segment = Segment(self.fold_of(partition), decode_entry(entries[-1].content).time, entries)
        key = f"{self.writer}/{next(self._numbers)}".encode()
        await self.put(partition, key, self.packer.pack(partition, key, segment))

    def fold_of(self, partition: int) -> str:
        """Give the fingerprint of the definition by which the fold has begun whose entries an open shard has."""
        return self._folds.get(partition, self.fold)

    async def adopt(self, partition: int, fold: str) -> None:
        """Have an open shard hold the entries of the fold that has begun by this definition, and of no other; read it anew if it has others."""
        if self.fold_of(partition) != fold:
            self._folds[partition] = fold
            await self.read_anew(partition)

    def of(self, partition: int, record_id: str) -> Iterator[PendingEntry]:
        """Yield the entries of an id, in the order of their steps."""
        database = self._shards[partition]
        for step in _steps(database.get(ID + record_id.encode())):
            kept = database.get(STEP + step)
            if kept is None:
                raise StoreError(
                    f"the pending table has lost an entry of '{record_id}'.", "It is read again from its topic."
                )
            yield PendingEntry(int.from_bytes(step, "big"), record_id, decode_named(kept)[1])

    def following(self, partition: int, step: int) -> Iterator[PendingEntry]:
        """Yield the entries from a step on, as they are at the call. Close the iterator: it keeps the database open."""
        for key, value in self.items(partition, STEP, STEP + step.to_bytes(8, "big")):
            yield PendingEntry(int.from_bytes(key[1:], "big"), *decode_named(value))

    async def purge(self, partition: int, gone: int) -> None:
        """Remove the entries of this log time and earlier ones: they had expired at the oldest snapshot that recovery may use."""
        while (database := self._shards.get(partition)) is not None:
            batch, index, full = WriteBatch(raw_mode=True), StepIndex(database), False
            for removed, entry in enumerate(self.following(partition, 0), 1):
                if decode_entry(entry.content).time > gone:
                    break
                step = entry.step.to_bytes(8, "big")
                batch.delete(STEP + step)
                index.remove(entry.id, step)
                if full := removed == CHUNK:
                    break
            if not batch.len():
                return
            index.write(batch)
            database.write(batch)
            await asyncio.sleep(0)
            if not full:
                break
        if database is not None:
            past = [key for key, at in self.items(partition, SEGMENT) if int.from_bytes(at, "big") <= gone]
            for key in past:
                await self.put(partition, key.removeprefix(SEGMENT), None)

    def _is_usable(self, partition: int, database: Database) -> bool:
        """Return whether the database was filled with segments signed by this table's key, if it has one; note whose they are."""
        begun = database.get(BEGUN)
        if begun is not None:
            self._folds[partition] = begun.decode()
        return database.get(FOLD) in (None, self.packer.mark(self.fold_of(partition)))

    def _read(self, partition: int, entry: Entry) -> Segment | None:
        """Decode a segment; return None for a removal, and, with a warning, for a record that is no valid segment.

        If a lost segment held entries that a state needs, the state's checksum will not match the table.
        """
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
        fold = self.fold_of(partition)
        if segment is not None and segment.fold == fold:
            index = StepIndex(database)
            for number, record_id, data in segment.entries:
                step = number.to_bytes(8, "big")
                if (kept := database.get(STEP + step)) is not None:
                    index.remove(decode_named(kept)[0], step)
                batch.put(STEP + step, encode((record_id, data)))
                index.add(record_id, step)
            index.write(batch)
        batch.put(FOLD, self.packer.mark(fold))
        batch.put(BEGUN, fold.encode())
        batch.put(LAST, fingerprint(entry))
        batch.put(OFFSET, (entry.offset + 1).to_bytes(8, "big"))
        database.write(batch)


class StepIndex:
    """The index from ids to the steps of their entries: collects changes, to write them in one batch."""

    def __init__(self, database: Database):
        self.database = database
        self.changed: dict[str, set[bytes]] = {}

    def add(self, record_id: str, step: bytes) -> None:
        """Add a step to an id, if the id does not have it."""
        self._steps(record_id).add(step)

    def remove(self, record_id: str, step: bytes) -> None:
        """Remove a step from an id."""
        self._steps(record_id).discard(step)

    def write(self, batch: WriteBatch) -> None:
        """Add the changes to a batch."""
        for record_id, steps in self.changed.items():
            if steps:
                batch.put(ID + record_id.encode(), b"".join(sorted(steps)))
            else:
                batch.delete(ID + record_id.encode())

    def _steps(self, record_id: str) -> set[bytes]:
        if record_id not in self.changed:
            self.changed[record_id] = set(_steps(self.database.get(ID + record_id.encode())))
        return self.changed[record_id]


class ShardPending:
    """The entries of one shard, as its fold reads and writes them: new entries stay in memory until they are durable.

    Parameters
    ----------
    table
        The pending table; this shard must be open.
    partition
        The shard.
    """

    def __init__(self, table: PendingTable, partition: int):
        self.table, self.partition = table, partition
        self._unsaved: list[PendingEntry] = []
        self._by_id: dict[str, list[PendingEntry]] = {}
        self._bytes = 0
        self._saving = asyncio.Lock()
        self._stored: Iterator[PendingEntry] | None = None
        self._ahead: PendingEntry | None = None
        self._asked = 0

    def put(self, entry: PendingEntry) -> None:
        """Add an entry, which is durable after the next `save`."""
        self._unsaved.append(entry)
        self._by_id.setdefault(entry.id, []).append(entry)
        self._bytes += size_of(entry)

    def of(self, record_id: str) -> list[PendingEntry]:
        """Return the entries of an id, in the order of their steps."""
        stored = self.table.of(self.partition, record_id)
        unsaved = self._by_id.get(record_id)
        if unsaved is None:
            return list(stored)
        return sorted({entry.step: entry for entry in (*stored, *unsaved)}.values())

    def following(self, step: int) -> PendingEntry | None:
        """Return the first entry whose step is `step` or later; None if there is none."""
        at = bisect_left(self._unsaved, step, key=lambda entry: entry.step)
        unsaved = self._unsaved[at] if at < len(self._unsaved) else None
        stored = self._find_stored(step)
        if stored is None or (unsaved is not None and unsaved.step <= stored.step):
            return unsaved
        return stored

    @property
    def is_full(self) -> bool:
        """Whether the unsaved entries fill a segment, so that it is time to save them."""
        return self._bytes >= SEGMENT_MAX

    async def save(self) -> None:
        """Make all entries that were added so far durable."""
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
        """Return whether the entries of steps `first` to `last` match a state: their number, and the sum of their weights."""
        counted = summed = 0
        step = first
        while (entry := self.following(step)) is not None and entry.step <= last:
            counted += 1
            summed += weight(entry)
            step = entry.step + 1
            if counted % CHUNK == 0:
                await asyncio.sleep(0)
        return (counted, summed % MODULUS) == (entries, checksum)

    def close(self) -> None:
        """Close the iterator over the database, so that the database can be closed."""
        self._stored = self._ahead = None

    def _forget(self, count: int, size: int) -> None:
        """Drop the first `count` entries from memory, because they are stored now."""
        for entry in self._unsaved[:count]:
            same_id = self._by_id[entry.id]
            same_id.remove(entry)
            if not same_id:
                del self._by_id[entry.id]
        del self._unsaved[:count]
        self._bytes -= size
        self.close()  # an iterator opened earlier does not see the new entries

    def _find_stored(self, step: int) -> PendingEntry | None:
        """Return the first stored entry from a step on. A series of growing steps reads the table only once."""
        if self._stored is None or step < self._asked:
            self._stored = self.table.following(self.partition, step)
            self._ahead = next(self._stored, None)
        self._asked = step
        while self._ahead is not None and self._ahead.step < step:
            self._ahead = next(self._stored, None)
        return self._ahead


def _steps(joined: bytes | None) -> list[bytes]:
    return [joined[at : at + 8] for at in range(0, len(joined), 8)] if joined else []
