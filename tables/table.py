"""A table: keys and values a shard, durable in a changelog topic first, then at hand in a RocksDB."""

import asyncio
import hashlib
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict

from tables.changelog import Changelog, Entry

# RocksDB's own defaults take up to 2 GiB a database and there is one a shard; sizes are frozen when a database is created.
WRITE_BUFFER = 8 << 20
WRITE_BUFFERS = 2
BLOCK_CACHE = 16 << 20

# Kept in the database beside the entries; a key of the table never begins with a NUL byte.
OFFSET = b"\0offset"
LAST = b"\0last"


class Table:
    """Keys and values in shards; whoever opens a shard sees all that was ever acknowledged.

    Writers do not exclude each other: a paused worker that still believes in its shard may write beside the new owner. A user of
    a table chooses keys so that this does no harm (`tables/snapshots.py` puts the writer into the key).

    The database remembers how far it has followed the changelog. It advances that offset only past a record that it has itself
    applied, one after the other, so what another writer put between is read at the next opening. A database that belongs to
    another changelog (the topic was deleted and made anew) is noticed by its last record and emptied.

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
        self._shards: dict[int, Rdict] = {}
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opening: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self, partition: int) -> None:
        """Open one shard and bring it up to the end of the changelog. Raises if another process holds its lock.

        A shard that is open already, as a replica's is when it is assigned, is only brought up.
        """
        async with self._opening[partition]:
            if partition not in self._shards:
                await self._open(partition)
            await self._follow(partition)

    def open_as_it_is(self, partition: int) -> None:
        """Open one shard with what it holds, whether the changelog can be read or not. Raises if another process holds its lock."""
        path = self.folder / str(partition)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._shards[partition] = Rdict(str(path), _options())

    async def catch_up(self, partition: int) -> None:
        """Bring an open shard up to the end of the changelog; if it is of another changelog, from nothing."""
        if not await self._continues(partition, self._shards[partition]):
            self._empty(partition)
        await self._follow(partition)

    async def follow(self, partition: int) -> AsyncIterator[None]:
        """Apply what others append to an open shard, as it comes, for ever; yields after each round, empty ones too.

        Raises when the changelog cannot be read on; catch up then, and follow again.
        """
        database = self._shards[partition]
        async for entries in self.changelog.follow(partition, _next_offset(database)):
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
            self._apply(database, entry)

    def opened(self) -> list[int]:
        """The shards that are open."""
        return sorted(self._shards)

    async def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write one key, or remove it (None): first in the changelog, then here."""
        async with self._locks[partition]:
            entry = Entry(await self.changelog.append(partition, key, value), key, value)
            database = self._shards.get(partition)
            if database is None:  # closed meanwhile; the next opening reads it
                return
            if entry.offset == _next_offset(database):
                self._apply(database, entry)
            else:  # another writer came between
                await self._follow(partition)

    def _is_usable(self, database: Rdict) -> bool:  # noqa: ARG002 a table that looks closer has its own
        return True

    async def _open(self, partition: int) -> None:
        self.open_as_it_is(partition)
        database = self._shards[partition]
        try:
            if self._is_usable(database) and await self._continues(partition, database):
                return
        except BaseException:  # what was not looked at whole is not left open as if it had been
            if self._shards.get(partition) is database:
                self.close(partition)
            raise
        if self._shards.get(partition) is database:
            self._empty(partition)

    def _empty(self, partition: int) -> None:
        self.close(partition)
        shutil.rmtree(self.folder / str(partition))
        self.open_as_it_is(partition)

    async def _continues(self, partition: int, database: Rdict) -> bool:
        return await continues(self.changelog, partition, _next_offset(database), database.get(LAST))

    async def _follow(self, partition: int) -> None:
        database = self._shards[partition]
        async for entry in self.changelog.read(partition, _next_offset(database)):
            if self._shards.get(partition) is not database:
                return
            self.take(partition, entry)

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        value: bytes | None = self._shards[partition].get(key)
        return value

    def items(self, partition: int, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """The keys that begin with `prefix`, from `start` on, in their order, with their values."""
        for key, value in self._shards[partition].items(from_key=max(prefix, start)):
            if not key.startswith(prefix):
                return
            yield key, value

    def remove(self, partition: int, key: bytes) -> None:
        """Remove one key here, but not from the changelog: for what has had its time."""
        self._shards[partition].delete(key)

    def kept(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """The key and the value that stand for an entry of the changelog here; None removes the key."""
        return entry.key, entry.value

    def _apply(self, database: Rdict, entry: Entry) -> None:
        key, value = self.kept(entry)
        if value is None:
            database.delete(key)
        else:
            database[key] = value
        database[LAST] = fingerprint(entry)
        database[OFFSET] = (entry.offset + 1).to_bytes(8, "big")


def _next_offset(database: Rdict) -> int:
    return int.from_bytes(database.get(OFFSET, b""), "big")


async def continues(changelog: Changelog, partition: int, following: int, last: bytes | None) -> bool:
    """Whether a changelog is the one that was followed up to offset `following`, by the fingerprint of the last entry applied."""
    if following == 0:
        return True
    async for entry in changelog.read(partition, following - 1):
        # Compaction may have removed the record that was followed last; then there is nothing to compare.
        return entry.offset >= following or fingerprint(entry) == last
    return False  # the changelog is shorter than what was followed of it


def fingerprint(entry: Entry) -> bytes:
    """Stands for one change, to recognise the changelog that it is from."""
    return hashlib.sha256(b"%d\0%b\0%b" % (len(entry.key), entry.key, entry.value or b"")).digest()


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER)
    options.set_max_write_buffer_number(WRITE_BUFFERS)
    options.set_compression_type(DBCompressionType.none())  # snapshots come compressed
    blocks = BlockBasedOptions()
    blocks.set_block_cache(Cache(BLOCK_CACHE))
    blocks.set_bloom_filter(10, False)  # most ids that are looked up are not there
    options.set_block_based_table_factory(blocks)
    return options
