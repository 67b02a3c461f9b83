"""A table: keys and values a shard, durable in a changelog topic first, then at hand in a RocksDB."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import structlog

from headrace.learning.errors import ReplacedError
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.database import Database

log = structlog.get_logger()

# Kept in the database beside the entries; a key of the table never begins with a NUL byte.
OFFSET = b"\0offset"
LAST = b"\0last"


class Table:
    """Keys and values in shards; whoever opens a shard sees all that was ever acknowledged.

    Writers do not exclude each other: a paused worker that still believes in its shard may write beside the new owner. A user of
    a table chooses keys so that this does no harm (`tables/snapshots.py` puts the writer into the key).

    The database remembers how far it has followed the changelog. It advances that offset only past a record that it has itself
    applied, one after the other, so what another writer put between is read at the next opening. A database that belongs to
    another changelog (the topic was deleted and made anew, or has lost its end) is recognised by its last record and emptied; so is a
    damaged one. Both are then read anew from the changelog.

    Parameters
    ----------
    changelog
        Where the truth is.
    folder
        Holds a database a shard; it may be deleted at any time that no worker runs.
    """

    def __init__(self, changelog: Changelog, folder: Path):
        self.changelog = changelog
        self.folder = folder
        self._shards: dict[int, Database] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opening: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self, partition: int) -> None:
        """Open one shard and bring it up to the end of the changelog.

        A shard that is open already, as a replica's is when it is assigned, is only brought up.

        Raises
        ------
        StoreError
            Another process holds the lock, the disk is full.
        """
        async with self._opening[partition]:
            was_open = partition in self._shards
            if not was_open:
                self.open_as_it_is(partition)
            database = self._shards[partition]
            try:
                await self.catch_up(partition)
            except BaseException:  # a shard that was not brought up is not left open as if it had been
                if not was_open and self._shards.get(partition) is database:
                    self.close(partition)
                raise

    def open_as_it_is(self, partition: int) -> None:
        """Open one shard with what it holds, whether the changelog can be read or not. StoreError as for `open`."""
        database = Database(self.folder / str(partition))
        try:
            is_usable = self._is_usable(database)
        except BaseException:
            database.close()
            raise
        self._shards[partition] = database if is_usable else database.empty()

    async def catch_up(self, partition: int) -> None:
        """Bring an open shard up to the end of the changelog; if it is of another changelog, from nothing."""
        try:
            await self._follow(partition)
        except ReplacedError as error:
            log.warning("a changelog is another one; its database is read anew", error=str(error), partition=partition)
            await self.read_anew(partition)

    async def read_anew(self, partition: int) -> None:
        """Empty an open shard and fill it from the changelog."""
        self._shards[partition] = self._shards.pop(partition).empty()
        await self._follow(partition)

    async def is_current(self, partition: int) -> bool:
        """Whether the changelog is still the one that an open shard has followed."""
        database = self._shards[partition]
        return await continues(self.changelog, partition, _next_offset(database), database.get(LAST))

    async def follow(self, partition: int) -> AsyncGenerator[None]:
        """Apply what others append to an open shard, as it comes, for ever; yields after each round, empty ones too.

        Raises when the changelog cannot be read on, or is another one; catch up then, and follow again.
        """
        database = self._shards[partition]
        async with aclosing(self.changelog.follow(partition, _next_offset(database))) as rounds:
            async for entries in rounds:
                if self._shards.get(partition) is not database:
                    return
                for entry in entries:
                    self.take(partition, entry)
                yield

    def close(self, partition: int) -> None:
        """Close one shard, if it is open."""
        if database := self._shards.pop(partition, None):
            database.close()

    def followed(self, partition: int) -> int:
        """The offset of the changelog up to which an open shard has followed it. KeyError when it is not open."""
        return _next_offset(self._shards[partition])

    def take(self, partition: int, entry: Entry) -> None:
        """Apply what a reader of the changelog brought, from `followed` on and in its order. KeyError when it is not open."""
        database = self._shards[partition]
        if entry.offset >= _next_offset(database):
            self._apply(partition, database, entry)

    def opened(self) -> list[int]:
        """The shards that are open."""
        return sorted(self._shards)

    async def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write one key, or remove it (None): first in the changelog, then here.

        Raises
        ------
        ReplacedError
            The changelog is not the one that was followed. The value is in it; open the shard anew to read what else is.
        StoreError
            The value is in the changelog, but not here. Open the shard anew.
        """
        async with self._locks[partition]:
            entry = Entry(await self.changelog.append(partition, key, value), key, value)
            database = self._shards.get(partition)
            if database is None:  # closed meanwhile; the next opening reads it
                return
            if entry.offset == _next_offset(database):
                self._apply(partition, database, entry)
            else:  # another writer came between, or the changelog is another one
                await self._follow(partition)

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The value of a key, or None. StoreError as for `open`, or when the database is damaged."""
        return self._shards[partition].get(key)

    def items(self, partition: int, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The keys that begin with `prefix`, from `start` on, in their order, with their values. StoreError as for `get`."""
        for key, value in self._shards[partition].items(max(prefix, start)):
            if not key.startswith(prefix):
                return
            yield key, value

    def remove(self, partition: int, key: bytes) -> None:
        """Remove one key here, but not from the changelog: for a value that has had its time."""
        self._shards[partition].delete(key)

    def kept(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """The key and the value that stand for an entry of the changelog here; None removes the key."""
        return entry.key, entry.value

    def _is_usable(self, database: Database) -> bool:  # noqa: ARG002 a table that looks closer has its own
        return True

    async def _follow(self, partition: int) -> None:
        """Apply what the changelog has and the database lacks.

        Raises
        ------
        ReplacedError
            The last record that was followed is not in the changelog.
        """
        database = self._shards[partition]
        following = _next_offset(database)
        async with aclosing(self.changelog.read(partition, following)) as entries:
            async for entry in entries:
                if self._shards.get(partition) is not database:
                    return
                if entry.offset >= following:
                    self.take(partition, entry)
                elif fingerprint(entry) != database.get(LAST):
                    what = (
                        f"the changelog of {self.folder.name}, shard {partition}, has another record at {entry.offset}."
                    )
                    raise ReplacedError(what, "Its database is emptied and read anew.")

    def _apply(self, partition: int, database: Database, entry: Entry) -> None:  # noqa: ARG002 a table whose records are bound to theirs has its own
        key, value = self.kept(entry)
        if value is None:
            database.delete(key)
        else:
            database.put(key, value)
        database.put(LAST, fingerprint(entry))
        database.put(OFFSET, (entry.offset + 1).to_bytes(8, "big"))


def _next_offset(database: Database) -> int:
    return int.from_bytes(database.get(OFFSET) or b"", "big")


async def continues(changelog: Changelog, partition: int, following: int, last: bytes | None) -> bool:
    """Whether a changelog is the one that was followed up to offset `following`, by the fingerprint of the last entry applied.

    Compaction may have removed that entry; then there is nothing to compare.
    """
    try:
        async with aclosing(changelog.read(partition, following)) as entries:
            async for entry in entries:
                return entry.offset >= following or fingerprint(entry) == last
    except ReplacedError:
        return False
    return True


def fingerprint(entry: Entry) -> bytes:
    """Stands for one change, to recognise the changelog that it is from."""
    return hashlib.sha256(b"%d\0%b\0%b" % (len(entry.key), entry.key, entry.value or b"")).digest()
