"""A table: keys and values by shard, which are durable in a changelog topic before they are written to a RocksDB."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import structlog

from headrace.learning.errors import ReplacedError, StoreError
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.database import Database

log = structlog.get_logger()

# Keys of the database for the table's own use; a key of the table never begins with a NUL byte.
OFFSET = b"\0offset"
LAST = b"\0last"

RECOGNISE_SECONDS = 10.0
"""How often a follower checks that the topic is still the one that it has followed. A topic that was deleted, created again and filled
causes no error by itself."""


class Table:
    """Keys and values by shard. After a shard is opened, it has every change that was ever acknowledged.

    Writers do not exclude each other: a paused worker that still believes it owns a shard may write at the same time as the new owner. A
    user of a table chooses keys so that this does no harm: `tables/snapshots.py` puts the writer into the key.

    The database stores the offset up to which it has followed the changelog. It moves that offset only past entries that it has applied,
    in order, so entries of another writer in between are read at the next opening. A database of another changelog (the topic was deleted
    and created again, or has lost its end) is recognised by its last entry. Such a database, and a damaged one, is emptied and filled again
    from the changelog.

    Parameters
    ----------
    changelog
        The changelog, which has the truth.
    folder
        The folder of the databases, one for each shard. It may be deleted while no worker runs.
    """

    def __init__(self, changelog: Changelog, folder: Path):
        self.changelog = changelog
        self.folder = folder
        self._shards: dict[int, Database] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opening: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self, partition: int) -> None:
        """Open one shard and apply the changelog up to its end.

        If the shard is open already, as a replica's is when the shard is assigned, only the changelog is applied.

        Raises
        ------
        StoreError
            Another process holds the lock, or the disk is full.
        """
        async with self._opening[partition]:
            was_open = partition in self._shards
            if not was_open:
                self.open_as_it_is(partition)
            database = self._shards[partition]
            try:
                await self.catch_up(partition)
            except BaseException:  # a shard that is not up to date must not look as if it were
                if not was_open and self._shards.get(partition) is database:
                    self.close(partition)
                raise

    def open_as_it_is(self, partition: int) -> None:
        """Open one shard with its present content, without reading the changelog. Raises StoreError as `open` does."""
        database = Database(self.folder / str(partition))
        try:
            is_usable = self._is_usable(partition, database)
        except BaseException:
            database.close()
            raise
        self._shards[partition] = database if is_usable else database.empty()

    async def catch_up(self, partition: int) -> None:
        """Apply the changelog to an open shard up to its end; first empty the shard if it followed another changelog."""
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
        """Return whether the changelog is still the one that an open shard has followed."""
        database = self._shards[partition]
        return await continues(self.changelog, partition, _next_offset(database), database.get(LAST))

    async def follow(self, partition: int) -> AsyncGenerator[None]:
        """Apply the entries that others append to an open shard, as they come, for ever; yield after each round, also an empty one.

        Raises an error when the changelog cannot be read, or is another one. Then call `catch_up`, and follow again.
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
        """Return the offset up to which an open shard has followed the changelog. Raises KeyError if the shard is not open."""
        return _next_offset(self._shards[partition])

    def take(self, partition: int, entry: Entry) -> None:
        """Apply an entry that a reader of the changelog returned, in order and from the offset `followed` on.

        Raises KeyError if the shard is not open.
        """
        database = self._shards[partition]
        if entry.offset >= _next_offset(database):
            self._apply(partition, database, entry)

    def opened(self) -> list[int]:
        """List the open shards."""
        return sorted(self._shards)

    async def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write one key, or remove it (None): first in the changelog, then in the database.

        Raises
        ------
        ReplacedError
            The changelog is not the one that was followed. It has the value; open the shard again to read its other entries.
        StoreError
            The value is in the changelog, but not in the database. Open the shard again.
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
        """Return the value of a key, or None. Raises StoreError as `open` does, or if the database is damaged."""
        return self._shards[partition].get(key)

    def items(self, partition: int, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys that begin with `prefix`, from `start` on, in order, with their values. Raises StoreError as `get` does."""
        for key, value in self._shards[partition].items(max(prefix, start)):
            if not key.startswith(prefix):
                return
            yield key, value

    def remove(self, partition: int, key: bytes) -> None:
        """Remove one key from the database, but not from the changelog: for a value that has expired."""
        self._shards[partition].delete(key)

    def kept(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """Return the key and the value that the database stores for an entry of the changelog; None removes the key."""
        return entry.key, entry.value

    def _is_usable(self, partition: int, database: Database) -> bool:  # noqa: ARG002 a table that looks closer has its own
        return True

    async def _follow(self, partition: int) -> None:
        """Apply the entries of the changelog that the database lacks.

        Raises
        ------
        ReplacedError
            The changelog has another entry than the last one that was applied.
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


async def keep_up(table: Table, partition: int) -> AsyncGenerator[None]:
    """Open a shard of a table, and apply its changelog as it grows; yield first when the shard has all of it, and then after each round.

    The shard stays open when this ends, as it does when the changelog is another one: call it again. While the broker is away the content
    of the shard is still right.

    Raises
    ------
    StoreError
        The database failed. It is closed.
    Exception
        The changelog cannot be read now.
    """
    if partition not in table.opened():
        table.open_as_it_is(partition)
    try:
        await table.catch_up(partition)
        yield
        recognised_at = asyncio.get_running_loop().time()
        async with aclosing(table.follow(partition)) as rounds:
            async for _ in rounds:
                yield
                if (now := asyncio.get_running_loop().time()) - recognised_at > RECOGNISE_SECONDS:
                    if not await table.is_current(partition):
                        return  # the next call catches up: it reads the new topic from its beginning
                    recognised_at = now
    except StoreError:
        table.close(partition)
        raise


def _next_offset(database: Database) -> int:
    return int.from_bytes(database.get(OFFSET) or b"", "big")


async def continues(changelog: Changelog, partition: int, following: int, last: bytes | None) -> bool:
    """Return whether a changelog is the one that was followed up to offset `following`.

    Compares the fingerprint of the last entry applied. If compaction has removed that entry, there is nothing to compare, and the answer
    is True.
    """
    try:
        async with aclosing(changelog.read(partition, following)) as entries:
            async for entry in entries:
                return entry.offset >= following or fingerprint(entry) == last
    except ReplacedError:
        return False
    return True


def fingerprint(entry: Entry) -> bytes:
    """Return the fingerprint of an entry, by which its changelog is recognised."""
    return hashlib.sha256(b"%d\0%b\0%b" % (len(entry.key), entry.key, entry.value or b"")).digest()
