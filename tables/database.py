"""A database: one RocksDB folder, whose every failure is a StoreError, and which is emptied when it is damaged."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import structlog
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from headrace.learning.errors import StoreError

log = structlog.get_logger()

# RocksDB's own defaults take up to 2 GiB a database and there is one a shard; sizes are frozen when a database is created.
WRITE_BUFFER = 8 << 20
WRITE_BUFFERS = 2
BLOCK_CACHE = 16 << 20

DAMAGE = ("Corruption", "No such file or directory", "Invalid argument", "Not implemented")
"""What RocksDB says when its own files are not as it left them; anything else passes: a lock, a full disk, too many open files."""

REMEDY = (
    "It is opened again until that succeeds. Look at the disk: free space, rights, and no second worker in this folder."
)


class Database:
    """An open RocksDB.

    It is a cache of a changelog topic, so a damaged one is emptied and filled again: once when it is opened, or when it is opened the
    next time after a read or write has found the damage.

    Parameters
    ----------
    path
        Its folder.

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
            self._empty(str(error))
            try:
                self._db = Rdict(str(path), _options())
            except Exception as again:
                raise self._error(again) from again

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
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
        """Remove one key, if it is there."""
        try:
            self._db.delete(key)
        except Exception as error:
            raise self._failed(error) from error

    def write(self, batch: WriteBatch) -> None:
        """Apply a batch as a whole."""
        try:
            self._db.write(batch)
        except Exception as error:
            raise self._failed(error) from error

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The keys from `start` on, in their order, with their values."""
        try:
            found = self._db.iter()
            found.seek(start)
            while found.valid():
                yield found.key(), found.value()
                found.next()
            found.status()  # at a damaged block an iterator just ends
        except Exception as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Close it. A database that cannot write any more says so once again; what it lacks is read from the changelog."""
        with contextlib.suppress(Exception):
            self._db.close()

    def empty(self) -> "Database":
        """Close it, remove all that it holds, and open it again."""
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
        """The StoreError for a failure in use; damage is noted, so that the next opening empties the database."""
        if is_damage(error):
            with contextlib.suppress(OSError):
                self._marker.touch()
        return self._error(error)

    def _error(self, error: Exception) -> StoreError:
        return StoreError(f"the database {self.path} failed: {str(error).rstrip('.')}.", REMEDY)


def is_damage(error: Exception) -> bool:
    """Whether RocksDB means that its files are not as it left them.

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
