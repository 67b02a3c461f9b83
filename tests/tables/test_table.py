"""The table: durable in its changelog first, and able to find its way back from anything."""

import asyncio
import os
import shutil
from functools import partial

import pytest
from fakes.changelog import Changelog
from sealed import sealed

from headrace.learning.errors import StoreError
from headrace.tables.changelog import CHUNK_MAX, Entry
from headrace.tables.snapshots import Snapshots
from headrace.tables.table import Table


async def contents(table):
    return dict(table.items(0, b"k"))


def run(coroutine):
    return asyncio.run(coroutine)


def test_a_value_that_the_changelog_did_not_take_is_not_there(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        changelog.is_away = True
        with pytest.raises(ConnectionError):
            await table.put(0, b"k1", b"v")
        assert table.get(0, b"k1") is None
        table.close(0)

    run(check())


def test_a_deleted_folder_is_filled_again_from_the_changelog(tmp_path):
    async def check():
        table = Table(Changelog(), tmp_path)
        await table.open(0)
        await table.put(0, b"k1", b"a")
        await table.put(0, b"k2", b"b")
        await table.put(0, b"k1", None)
        table.close(0)
        shutil.rmtree(tmp_path)
        await table.open(0)
        assert await contents(table) == {b"k2": b"b"}
        table.close(0)

    run(check())


def test_what_another_writer_put_between_is_read_with_the_next_put(tmp_path):
    async def check():
        changelog = Changelog()
        mine, other = Table(changelog, tmp_path / "a"), Table(changelog, tmp_path / "b")
        await mine.open(0)
        await other.open(0)
        await mine.put(0, b"k1", b"mine")
        await other.put(0, b"k2", b"other")
        await mine.put(0, b"k3", b"mine")
        assert await contents(mine) == {b"k1": b"mine", b"k2": b"other", b"k3": b"mine"}
        mine.close(0)
        other.close(0)

    run(check())


def test_an_opening_reads_only_what_is_new(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        for number in range(10):
            await table.put(0, b"k%d" % number, b"v")
        table.close(0)
        del changelog.entries[0][:9]  # compacted away; a table that read them all would notice nothing of them
        await table.open(0)
        assert len(await contents(table)) == 10
        table.close(0)

    run(check())


@pytest.mark.parametrize("length", [0, 1, 3, 6])
def test_a_changelog_that_was_made_anew_empties_the_database(tmp_path, length):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        for number in range(3):
            await table.put(0, b"k%d" % number, b"old")
        table.close(0)
        changelog.entries.clear()
        for number in range(length):
            changelog.put(b"k%d" % number, b"new")
        await table.open(0)
        assert await contents(table) == {b"k%d" % number: b"new" for number in range(length)}
        table.close(0)

    run(check())


def test_what_was_followed_already_does_not_set_a_table_back(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        for value in (b"old", b"new"):
            await table.put(0, b"k1", value)
        table.take(0, Entry(0, b"k1", b"old"))
        assert await contents(table) == {b"k1": b"new"}
        assert table.followed(0) == 2
        table.take(0, Entry(2, b"k1", b"newer"))
        assert await contents(table) == {b"k1": b"newer"}
        table.close(0)
        with pytest.raises(KeyError):
            table.take(0, Entry(3, b"k1", b"x"))

    run(check())


def test_a_shard_that_is_open_is_opened_again_by_following_on(tmp_path):
    async def check():
        changelog = Changelog()
        mine, other = Table(changelog, tmp_path / "a"), Table(changelog, tmp_path / "b")
        await other.open(0)
        await other.put(0, b"k1", b"v")
        await asyncio.gather(mine.open(0), mine.open(0))
        await other.put(0, b"k2", b"v")
        await mine.open(0)
        assert await contents(mine) == {b"k1": b"v", b"k2": b"v"}
        mine.close(0)
        other.close(0)

    run(check())


def test_an_opening_that_fails_leaves_nothing_open(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        await table.put(0, b"k1", b"v")
        table.close(0)

        changelog.is_away = True
        with pytest.raises(ConnectionError):
            await table.open(0)
        assert table.opened() == []
        changelog.is_away = False
        await table.open(0)
        assert await contents(table) == {b"k1": b"v"}
        table.close(0)

    run(check())


def test_one_process_at_a_time_opens_a_shard(tmp_path):
    async def check():
        first, second = Table(Changelog(), tmp_path), Table(Changelog(), tmp_path)
        await first.open(0)
        with pytest.raises(StoreError, match="[Ll]ock"):
            await second.open(0)
        first.close(0)

    run(check())


def test_a_put_after_closing_is_in_the_changelog_and_read_at_the_next_opening(tmp_path):
    async def check():
        table = Table(Changelog(), tmp_path)
        await table.open(0)
        table.close(0)
        await table.put(0, b"k1", b"late")
        await table.open(0)
        assert await contents(table) == {b"k1": b"late"}
        table.close(0)

    run(check())


def test_a_snapshot_larger_than_a_chunk_comes_back_whole(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        snapshot = sealed(5, os.urandom(3 * CHUNK_MAX + 17))
        await Snapshots(table, "w1").save(0, 5, snapshot)
        assert max(len(entry.value) for entry in changelog.entries[0]) < CHUNK_MAX + 200
        assert Snapshots(table, "other").load(0) == (5, snapshot)
        table.close(0)

    run(check())


def test_the_furthest_snapshot_wins_whoever_wrote_it_and_those_behind_are_removed(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        paused, owner = Snapshots(table, "paused"), Snapshots(table, "owner")
        await paused.save(0, 10, sealed(10))
        await owner.save(0, 30, sealed(30))
        await paused.save(0, 20, sealed(20))  # it wakes and still believes that it owns the shard
        assert owner.load(0) == (30, sealed(30))
        await owner.save(0, 40, sealed(40))
        assert {key.split(b"/")[1] for key, _ in table.items(0, b"manifest/")} == {b"owner"}
        table.close(0)

    run(check())


@pytest.mark.parametrize("after", range(1, 6))
def test_a_crash_between_two_chunks_leaves_the_older_snapshot_whole(tmp_path, after):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        snapshots = Snapshots(table, "w")
        bodies = [sealed(position, os.urandom(4 * CHUNK_MAX + 1)) for position in (1, 2, 3)]
        await snapshots.save(0, 1, bodies[0])
        await snapshots.save(0, 2, bodies[1])
        changelog.left = after
        if after < 5:  # four chunks and the manifest
            with pytest.raises(ConnectionError):
                await snapshots.save(0, 3, bodies[2])
            assert snapshots.load(0) == (2, bodies[1])
        else:
            changelog.left = None
            await snapshots.save(0, 3, bodies[2])
            assert snapshots.load(0) == (3, bodies[2])
        table.close(0)

    run(check())


def test_a_failed_snapshot_and_a_crash_in_the_next_one_leave_the_last_whole_one(tmp_path):
    async def check():
        changelog = Changelog()
        table = Table(changelog, tmp_path)
        await table.open(0)
        snapshots = Snapshots(table, "w")
        bodies = [sealed(position, os.urandom(2 * CHUNK_MAX + 1)) for position in (1, 2, 3, 4)]
        await snapshots.save(0, 1, bodies[0])
        await snapshots.save(0, 2, bodies[1])
        for position in (3, 4):
            changelog.left = 1
            with pytest.raises(ConnectionError):
                await snapshots.save(0, position, bodies[position - 1])
            assert snapshots.load(0) == (2, bodies[1])
        changelog.left = None
        await snapshots.save(0, 4, bodies[3])
        assert snapshots.load(0) == (4, bodies[3])
        table.close(0)

    run(check())


def test_the_last_two_snapshots_of_a_writer_are_kept(tmp_path):
    async def check():
        table = Table(Changelog(), tmp_path)
        await table.open(0)
        snapshots = Snapshots(table, "w")
        for position in range(1, 6):
            await snapshots.save(0, position, sealed(position, os.urandom(2 * CHUNK_MAX + 1)))
        assert len(list(table.items(0, b"manifest/"))) == 2
        assert len(list(table.items(0, b"chunk/"))) == 4
        table.close(0)

    run(check())


def test_a_worker_that_was_paused_while_it_removed_removes_nothing_that_was_written_since(tmp_path):
    class Stalling(Changelog):
        def __init__(self):
            super().__init__()
            self.stalled, self.goes_on = asyncio.Event(), asyncio.Event()

        async def append(self, partition, key, value):
            if value is None and not self.stalled.is_set():
                self.stalled.set()
                await self.goes_on.wait()
            return await super().append(partition, key, value)

    async def check():
        changelog = Stalling()
        tables = [Table(changelog, tmp_path / name) for name in ("paused", "again", "fresh")]
        for table in tables:
            await table.open(0)
        again, paused = Snapshots(tables[1], "again"), Snapshots(tables[0], "paused")
        await again.save(0, 2, sealed(2))
        saving = asyncio.create_task(paused.save(0, 3, sealed(3)))
        await changelog.stalled.wait()
        for position in (8, 9):  # the shard has moved back meanwhile
            await again.save(0, position, sealed(position))
        changelog.goes_on.set()
        await saving
        await tables[2].put(0, b"k", b"reads all that came before")
        assert Snapshots(tables[2], "other").load(0) == (9, sealed(9))
        for table in tables:
            table.close(0)

    run(check())


def test_of_two_snapshots_of_one_position_one_stays(tmp_path):
    async def check():
        changelog = Changelog(step=partial(asyncio.sleep, 0.01))
        tables = [Table(changelog, tmp_path / name) for name in ("one", "two")]
        for table in tables:
            await table.open(0)
        await asyncio.gather(*(Snapshots(table, f"w{n}").save(0, 5, sealed(5)) for n, table in enumerate(tables)))
        await tables[0].put(0, b"k", b"reads all that came before")
        assert Snapshots(tables[0], "other").load(0) == (5, sealed(5))
        for table in tables:
            table.close(0)

    run(check())
