"""A database: one RocksDB folder. Every failure raises StoreError, and a damaged database is emptied."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import structlog
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from headrace.learning.errors import StoreError
from headrace.learning.plain import plain_failure

log = structlog.get_logger()

# RocksDB's defaults take up to 2 GiB for each database, and each shard has one; sizes are fixed when a database is created.
WRITE_BUFFER = 8 << 20
WRITE_BUFFERS = 2
BLOCK_CACHE = 16 << 20

DAMAGE = ("Corruption", "No such file or directory", "Invalid argument", "Not implemented")
"""Words in RocksDB's errors about damaged files. All other errors pass by themselves: a lock, a full disk, too many open files."""

REMEDY = (
    "It is opened again until that succeeds. Look at the disk: free space, rights, and no second worker in this folder."
)


class Database:
    """An open RocksDB, which is a cache of a changelog topic.

    A damaged database is emptied and filled again from the topic: at once if opening it finds the damage, or at the next opening if a read
    or a write finds it.

    Parameters
    ----------
    path
        The folder of the database.

    Raises
    ------
    StoreError
        By the constructor and by every method but `close`: the disk is full, another process holds the lock, the files are damaged.
    """

    def __init__(self, path: Path):
        self.path = path
        self._marker = path.with_name(f"{path.name}.damaged")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._marker.exists():
                self._empty("it was found damaged while it was in use")
        except OSError as error:
            raise self._error(error) from error
        try:
            self._db = Rdict(str(path), _options())
        except Exception as error:  # rocksdict has no error type of its own
            if not is_damage(error):
                raise self._error(error) from error
            self._empty(plain_failure(error))
            try:
                self._db = Rdict(str(path), _options())
            except Exception as again:
                raise self._error(again) from again

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None."""
        try:
            value: bytes | None = self._db.get(key)
        except Exception as error:
            raise self._failed(error) from error
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Write one key."""
        try:
            self._db[key] = value
        except Exception as error:
            raise self._failed(error) from error

    def delete(self, key: bytes) -> None:
        """Remove one key, if it exists."""
        try:
            self._db.delete(key)
        except Exception as error:
            raise self._failed(error) from error

    def write(self, batch: WriteBatch) -> None:
        """Apply a batch atomically."""
        try:
            self._db.write(batch)
        except Exception as error:
            raise self._failed(error) from error

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys from `start` on, in their order, with their values."""
        try:
            iterator = self._db.iter()
            iterator.seek(start)
            while iterator.valid():
                yield iterator.key(), iterator.value()
                iterator.next()
            iterator.status()  # an iterator ends silently at a damaged block
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close the database, and ignore an error: entries that it could not write are read again from the changelog."""
        with contextlib.suppress(Exception):
            self._db.close()

    def empty(self) -> "Database":
        """Close the database, remove its content, and open it again."""
        self.close()
        try:
            shutil.rmtree(self.path, ignore_errors=False)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise self._error(error) from error
        return Database(self.path)

    def _empty(self, why: str) -> None:
        log.warning("a database is damaged; it is emptied and read again from its topic", path=str(self.path), why=why)
        shutil.rmtree(self.path, ignore_errors=True)
        self._marker.unlink(missing_ok=True)

    def _failed(self, error: Exception) -> Exception:
        """Make the StoreError for a failure in use; mark a damaged database, so that the next opening empties it."""
        if is_damage(error):
            with contextlib.suppress(OSError):
                self._marker.touch()
        return self._error(error)

    def _error(self, error: Exception) -> StoreError:
        return StoreError(f"the database {self.path} failed: {plain_failure(error)}.", REMEDY)


def is_damage(error: Exception) -> bool:
    """Return whether an error of RocksDB says that its files are damaged.

    Examples
    --------
    >>> is_damage(Exception("Corruption: checksum mismatch"))
    True
    >>> is_damage(Exception("IO error: No space left on device: While appending to file"))
    False
    """
    return any(sign in str(error) for sign in DAMAGE)


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
