"""Snapshots in the table, read one part after the other: whoever wrote them decides neither how much is fetched nor how long it takes."""

import hashlib
import os
import threading

import pytest
import zstandard
from fakes.changelog import Changelog
from sealed import in_parts, manifest, sealed
from worlds import run

from headrace.learning.encoding import SIZE
from headrace.learning.errors import DamagedError, SnapshotError, StoreError
from headrace.learning.snapshot.header import MAGIC
from headrace.tables.changelog import CHUNK_MAX
from headrace.tables.database import Database
from headrace.tables.snapshots import CHUNKS_MAX, Snapshots
from headrace.tables.table import Table


class Counted(Table):
    """A table that notes what is fetched, and may be closed at a fetch."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.fetched, self.closes_at = [], None

    def get(self, partition, key):
        self.fetched.append(key)
        if len(self.fetched) == self.closes_at:
            self.close(partition)
        return super().get(partition, key)


async def opened(folder, *records):
    """A table of snapshots with these records, and nothing fetched of it."""
    table = Counted(Changelog(), folder)
    await table.open(0)
    for key, value in records:
        await table.put(0, key, value)
    return table


@pytest.mark.parametrize("size", [1000, CHUNK_MAX - 1, CHUNK_MAX, CHUNK_MAX + 1, 2 * CHUNK_MAX, 3 * CHUNK_MAX - 1])
@pytest.mark.parametrize("is_signed", [True, False])
def test_a_snapshot_of_any_size_comes_back_whole(tmp_path, size, is_signed):
    async def check():
        table = await opened(tmp_path)
        head = len(sealed(7, bytes(size // 2), signed=is_signed)) - size // 2
        snapshot = sealed(7, os.urandom(size - head), signed=is_signed)
        snapshot = sealed(7, os.urandom(2 * size - head - len(snapshot)), signed=is_signed)  # if it has a digit more
        assert len(snapshot) == size
        await Snapshots(table, "w").save(0, 7, snapshot)
        found = next(Snapshots(table, "other").furthest_first(0))
        assert found.read() == snapshot
        assert found.read_header().signed == is_signed
        table.close(0)

    run(check())


def test_the_largest_state_there_may_be_has_no_more_chunks_than_a_manifest_may_name():
    for size in (1, 1000, 1 << 17, 1 << 20, (1 << 22) + 1):  # what cannot be compressed becomes larger
        assert len(zstandard.compress(os.urandom(size), 1)) <= size + (size >> 8) + 64
    assert SIZE < CHUNKS_MAX * CHUNK_MAX < SIZE + (SIZE >> 8) + 2 * CHUNK_MAX
    assert CHUNKS_MAX < 100_000, "a key has five digits for it"


def test_nothing_is_fetched_to_list_the_snapshots_and_only_the_first_chunk_to_find_that_none_is_there(tmp_path):
    async def check():
        places = [f"x/{number:012}" for number in range(50)]
        records = [list(in_parts(sealed(7), place=place, chunks=CHUNKS_MAX))[-1] for place in places]
        table = await opened(tmp_path, *records)
        found = list(Snapshots(table, "w").furthest_first(0))
        assert [one.place for one in found] == places[::-1]
        assert table.fetched == []
        for one in found:
            with pytest.raises(DamagedError):
                one.read()
        assert len(table.fetched) == 2 * 50
        table.close(0)

    run(check())


LARGE = 3 * CHUNK_MAX + 5
WRONG = {
    "more chunks": {"chunks": 4},
    "fewer chunks": {"chunks": 2},
    "no chunks": {"chunks": 0},
    "a longer payload": {"packed": LARGE + 1},
    "an endless payload": {"packed": 10**30},
    "a large state": {"size": SIZE + 1},
    "an endless state": {"size": 10**30},
    "another position": {"position": 8},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_a_snapshot_is_found_so_by_its_first_part(tmp_path, what):
    async def check():
        changes = dict(WRONG[what])
        chunks, position = changes.pop("chunks", None), changes.pop("position", 7)
        table = await opened(tmp_path, *in_parts(sealed(position, bytes(LARGE), **changes), chunks=chunks))
        (found,) = Snapshots(table, "w").furthest_first(0)
        with pytest.raises(DamagedError):
            found.read()
        assert len(table.fetched) <= 2
        table.close(0)

    run(check())


def test_a_last_part_that_is_larger_than_a_part_is_not_read_on(tmp_path):
    async def check():
        snapshot = sealed(7, bytes(LARGE))
        *chunks, _ = in_parts(snapshot)
        last = manifest(7, snapshot[2 * CHUNK_MAX :], 2, hashlib.sha256(snapshot).hexdigest())
        table = await opened(tmp_path, *chunks[:2], (b"manifest/x/000000000001", last))
        (found,) = Snapshots(table, "w").furthest_first(0)
        with pytest.raises(DamagedError):
            found.read()
        assert len(table.fetched) == 2
        table.close(0)

    run(check())


@pytest.mark.parametrize("chunk", [0, 1, 2])
@pytest.mark.parametrize("value", [None, b"short", bytes(CHUNK_MAX + 1), bytes(CHUNK_MAX)])
def test_a_chunk_that_is_not_there_or_another_is_the_last_that_is_fetched(tmp_path, chunk, value):
    async def check():
        table = await opened(tmp_path, *in_parts(sealed(7, b"x" * LARGE)))
        await table.put(0, f"chunk/x/000000000001/{chunk:05}".encode(), value)
        (found,) = Snapshots(table, "w").furthest_first(0)
        with pytest.raises(DamagedError):
            found.read()
        has_its_length = value is not None and len(value) == CHUNK_MAX
        assert len(table.fetched) == (4 if has_its_length and chunk else 2 + chunk)
        table.close(0)

    run(check())


def test_another_format_is_told_from_damage_by_the_first_part(tmp_path):
    async def check():
        table = await opened(tmp_path, *in_parts(MAGIC + bytes(6)))
        (found,) = Snapshots(table, "w").furthest_first(0)
        for fetch in (found.read_header, found.read):
            with pytest.raises(SnapshotError, match="format is 0") as refused:
                fetch()
            assert not isinstance(refused.value, DamagedError)
        table.close(0)

    run(check())


def test_a_snapshot_that_was_removed_since_it_was_listed_is_damaged(tmp_path):
    async def check():
        table = await opened(tmp_path, *in_parts(sealed(7)))
        (found,) = Snapshots(table, "w").furthest_first(0)
        await table.put(0, b"manifest/x/000000000001", None)
        with pytest.raises(DamagedError, match="removed"):
            found.read()
        table.close(0)

    run(check())


@pytest.mark.parametrize("fetch", range(1, 6))
def test_a_table_that_is_closed_while_a_snapshot_is_read_is_a_failed_database(tmp_path, fetch):
    """Were it damage, the snapshot would be passed by, and the log folded again."""

    async def check():
        table = await opened(tmp_path, *in_parts(sealed(7, bytes(LARGE))))
        found = Snapshots(table, "w").furthest_first(0)
        if fetch < 5:  # the manifest and three chunks
            (found,) = found
            table.closes_at = fetch
            with pytest.raises(StoreError):
                found.read()
        else:
            table.close(0)
            with pytest.raises(StoreError):
                next(found)

    run(check())


def test_a_database_that_is_closed_under_the_threads_that_read_it_fails_and_leaves_no_lock(tmp_path):
    database, told, reading = Database(tmp_path / "0"), [], threading.Barrier(4)
    for number in range(20):
        database.put(b"%d" % number, bytes(CHUNK_MAX))

    def read(through):
        reading.wait()
        try:
            while True:
                for _ in range(20):
                    through()
        except Exception as error:
            told.append(error)

    ways = (lambda: database.get(b"7"), lambda: list(database.items(b"")), lambda: database.get(b"no"))
    threads = [threading.Thread(target=read, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    reading.wait()
    database.close()
    for thread in threads:
        thread.join()
    assert [type(error) for error in told] == [StoreError] * 3
    again = Database(tmp_path / "0")
    assert again.get(b"7") == bytes(CHUNK_MAX), "it was not taken for damaged"
    again.close()


def test_what_a_writer_has_not_written_under_its_name_goes_with_its_next_snapshot(tmp_path):
    async def check():
        table = await opened(tmp_path)
        own, other = Snapshots(table, "own"), Snapshots(table, "other")
        await other.save(0, 50, sealed(50))
        own.keep(0, 50, "other/000000000001")
        forged = [
            *in_parts(sealed(10**9, bytes(LARGE)), 10**9, "own/000000000099"),
            *in_parts(sealed(1), 1, "own/000000000098"),
        ]
        ahead = list(in_parts(sealed(10**9), 10**9, "stranger/000000000001"))
        for key, value in (*forged, *ahead):
            await table.put(0, key, value)
        assert next(own.furthest_first(0)).place == "stranger/000000000001"
        await own.save(0, 60, sealed(60))
        left = {key.decode().split("/", 1)[1] for key, _ in table.items(0, b"manifest/")}
        assert left == {"own/000000000001", "other/000000000001", "stranger/000000000001"}
        assert list(table.items(0, b"chunk/")) == []
        for position in (70, 80):
            await own.save(0, position, sealed(position))
        left = {key.decode().split("/", 1)[1] for key, _ in table.items(0, b"manifest/")}
        assert left == {"own/000000000002", "own/000000000003", "stranger/000000000001"}
        table.close(0)

    run(check())


def test_a_list_of_snapshots_holds_none_of_their_parts(tmp_path):
    async def check():
        table = await opened(tmp_path, *in_parts(sealed(7, bytes(1000))))
        (found,) = Snapshots(table, "w").furthest_first(0)
        assert not [field for field in found if isinstance(field, bytes)]
        assert found.read_header().packed == 1000
        assert not hasattr(found, "__dict__"), "nothing is kept of what was fetched"
        table.close(0)

    run(check())
