"""The database: damage that is met in use is told, and gone at the next opening."""

import pytest

from headrace.learning.errors import StoreError
from headrace.tables.database import BLOCK_CACHE, Database

VALUE = b"v" * 5_000


def larger_than_the_cache(path):
    database = Database(path)
    keys = [b"k%05d" % number for number in range(BLOCK_CACHE // len(VALUE) * 3 // 2)]
    for key in keys:
        database.put(key, VALUE)
    database._db.flush()
    database.close()
    return keys


def flip_in_the_middle(path):
    table = max(path.glob("*.sst"), key=lambda each: each.stat().st_size)
    with table.open("r+b") as file:
        file.seek(table.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


def test_a_damaged_block_does_not_end_an_iteration_as_if_there_was_nothing_more(tmp_path):
    path = tmp_path / "0"
    keys = larger_than_the_cache(path)
    database = Database(path)
    assert [key for key, _ in database.items(b"k")] == keys
    database.close()
    flip_in_the_middle(path)
    database = Database(path)
    with pytest.raises(StoreError, match="Corruption"):
        list(database.items(b"k"))
    database.close()
    database = Database(path)
    assert list(database.items(b"")) == []
    database.close()


def test_a_damaged_block_is_told_by_get(tmp_path):
    path = tmp_path / "0"
    keys = larger_than_the_cache(path)
    flip_in_the_middle(path)
    database = Database(path)
    with pytest.raises(StoreError, match="Corruption"):
        [database.get(key) for key in keys]
    database.close()
    database = Database(path)
    assert database.get(keys[0]) is None
    database.close()
