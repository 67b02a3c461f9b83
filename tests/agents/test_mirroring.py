"""Saved versions are copied to the mirror in the background: failures are counted and tried again, and nobody waits for them."""

import asyncio
import itertools
import threading

import pytest
import worlds
from fakes.changelog import Changelog

from headrace.agents import mirroring
from headrace.agents.mirroring import ShardMirror
from headrace.learning.encoding import digest
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot.package import read_model, unpack
from headrace.learning.supplies import supplies_of
from headrace.learning.task import Task, Versions
from headrace.tables.mirror import BucketMirror, FolderMirror
from headrace.tables.table import Table
from headrace.tables.versions import ShardVersions, VersionTable

TASK = Task(name="ads", kind="binary", versions=Versions(every=10, keep=3))
KEY = b"k" * 32
numbers = itertools.count()


class Memory:
    """A mirror in memory, which can be away, or hold up who asks it."""

    def __init__(self):
        self.files, self.error, self.open = {}, None, asyncio.Event()
        self.open.set()
        self.begun = 0

    async def begin(self, key, size):
        self.begun += 1
        await self.open.wait()
        if self.error is not None:
            raise self.error
        data = self.files.get(key)
        return None if data is None else data[:size]

    async def put(self, key, data):
        self.files[key] = data


class Shard:
    """A learner whose versions are kept in a table, and its mirror."""

    def __init__(self, folder, mirror, key=KEY, seed=1):
        self.now = 0.0
        self.table = VersionTable(Table(Changelog(), folder / f"versions{next(numbers)}"))
        self.table.table.open_as_it_is(0)
        self.versions = ShardVersions(self.table, 0)
        self.learner = Learner(TASK, 0, supplies=supplies_of(TASK)._replace(artefacts=self.versions))
        self.log = worlds.messages(10_000, seed)
        self.mirroring = ShardMirror(TASK, 0, mirror, key, lambda: self.now)

    @property
    def saved(self):
        return self.learner.state.versions.saved

    def learn(self, count):
        for _, message in zip(range(count), self.log, strict=False):
            for _ in self.learner.fold(message):
                pass

    async def look(self):
        self.mirroring.look(self.learner.state, self.versions)
        await self.mirroring.errands.wait()


@pytest.fixture
def shard(tmp_path):
    """The shard of a mirror; its database is closed afterwards."""
    made = []

    def make(mirror, **options):
        made.append(Shard(tmp_path, mirror, **options))
        return made[-1]

    yield make
    for one in made:
        one.table.table.close(0)


def test_every_saved_version_is_copied_as_a_file_that_can_be_imported(shard):
    async def check():
        mirror = Memory()
        at = shard(mirror)
        at.learn(25)
        await at.look()
        assert sorted(mirror.files) == ["ads/0/v10-0-9.model", "ads/0/v20-0-19.model"]
        await at.versions.save()
        at.learn(10)
        await at.look()
        for version in at.saved.values():
            package = unpack(mirror.files[f"ads/0/{version.id}.model"], KEY)
            assert (package.head.id, package.head.metrics) == (version.id, version.metrics)
            assert digest(read_model(package, TASK)) == version.digest
        assert (at.mirroring.copied, at.mirroring.missed, at.mirroring.waiting) == (3, 0, frozenset())

    worlds.run(check())


def test_what_fails_is_counted_and_tried_again_later_each_time_after_a_longer_pause(shard):
    async def check():
        mirror = Memory()
        mirror.error = OSError("no space")
        at = shard(mirror)
        at.learn(10)
        tries = []
        for second in range(16):
            at.now = float(second)
            await at.look()
            tries.append(at.mirroring.errands.failures)
        assert tries == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5]
        assert at.mirroring.error == "no space"
        assert len(at.mirroring.waiting) == 1
        mirror.error, at.now = None, 1000.0
        await at.look()
        assert (list(mirror.files), at.mirroring.error) == (["ads/0/v10-0-9.model"], None)
        assert at.mirroring.errands.failures == 5, "they stay counted"

    worlds.run(check())


def test_a_version_that_is_dropped_before_the_mirror_took_it_is_missed(shard):
    async def check():
        mirror = Memory()
        mirror.error = OSError("away")
        at = shard(mirror)
        for count in (10, 10, 10, 30):
            at.learn(count)
            await at.look()
        assert "v10-0-9" not in at.saved
        mirror.error, at.now = None, 1000.0
        await at.look()
        assert {f"ads/0/{name}.model" for name in at.saved} == set(mirror.files)
        assert at.mirroring.missed == 3 - len({"v10-0-9", "v20-0-19", "v30-0-29"} & set(at.saved))
        assert at.mirroring.missed > 0

    worlds.run(check())


def test_nobody_waits_for_a_mirror_that_does_not_answer(shard):
    async def check():
        mirror = Memory()
        mirror.open.clear()
        at = shard(mirror)
        at.learn(10)
        for _ in range(5):
            at.mirroring.look(at.learner.state, at.versions)  # it is no coroutine: it returns at once
            await asyncio.sleep(0)
        assert mirror.begun == 1, "one copy at a time"
        at.learn(10)
        assert at.learner.state.position == 20
        mirror.open.set()
        await at.mirroring.errands.wait()
        await at.look()
        assert len(mirror.files) == 2

    worlds.run(check())


def test_a_copy_that_takes_too_long_is_given_up_and_counts_as_failed(shard, monkeypatch):
    async def check():
        monkeypatch.setattr(mirroring, "PUT_SECONDS", 0.01)
        mirror = Memory()
        mirror.open.clear()
        at = shard(mirror)
        at.learn(10)
        await at.look()
        assert at.mirroring.errands.failures == 1
        assert at.mirroring.error == "timeout"

    worlds.run(check())


def test_folders_that_hang_do_not_take_the_threads_in_which_states_are_sealed(shard, tmp_path, monkeypatch):
    async def check():
        hung, begun = threading.Event(), []

        def hang(self, key, size):
            begun.append(key)
            hung.wait(30)

        monkeypatch.setattr(FolderMirror, "_begin", hang)
        shards = [shard(FolderMirror(tmp_path / "copies")) for _ in range(40)]
        try:
            for at in shards:
                at.learn(10)
                at.mirroring.look(at.learner.state, at.versions)
            await worlds.until(lambda: len(begun) == len(shards))
            assert await asyncio.wait_for(asyncio.to_thread(lambda: "sealed"), 10) == "sealed"
        finally:
            hung.set()
            for at in shards:
                await at.mirroring.errands.wait()

    worlds.run(check())


def test_the_next_owner_copies_only_what_is_not_there(shard):
    async def check():
        mirror = Memory()
        first = shard(mirror)
        first.learn(20)
        await first.look()
        kept = dict(mirror.files)
        second = shard(mirror, seed=1)
        second.learn(30)
        await second.look()
        assert second.mirroring.copied == 1
        assert all(mirror.files[name] is data for name, data in kept.items())

    worlds.run(check())


@pytest.mark.parametrize("key", [None, KEY])
def test_a_file_of_the_same_name_and_another_log_is_written_anew(shard, key):
    async def check():
        mirror = Memory()
        before, after = shard(mirror, seed=1), shard(mirror, seed=2, key=key)
        before.learn(10)
        await before.look()
        mirror.files["ads/0/v20-0-19.model"] = b"half of a file"
        after.learn(20)
        await after.look()
        assert list(before.saved) == list(after.saved)[:1]
        for version in after.saved.values():
            assert unpack(mirror.files[f"ads/0/{version.id}.model"], key).head.digest == version.digest

    worlds.run(check())


def test_a_mirror_of_other_signatures_is_written_anew(shard):
    async def check():
        mirror = Memory()
        unsigned, signed = shard(mirror, key=None), shard(mirror, seed=1)
        unsigned.learn(10)
        signed.learn(10)
        await unsigned.look()
        await signed.look()
        assert unpack(mirror.files["ads/0/v10-0-9.model"], KEY).head.signed

    worlds.run(check())


def test_an_id_that_is_no_name_of_a_file_is_not_made_one(shard):
    async def check():
        mirror = Memory()
        at = shard(mirror)
        at.learn(10)
        (version,) = at.saved.values()
        for name in ("../../etc/passwd", "v1-0-1/../../x", "v1-0-1\n", "x"):
            at.saved[name] = version._replace(id=name)
        await at.look()
        assert list(mirror.files) == ["ads/0/v10-0-9.model"]

    worlds.run(check())


def test_a_model_that_is_not_in_the_table_is_a_failure_and_the_others_wait(shard):
    async def check():
        mirror = Memory()
        at = shard(mirror)
        at.learn(10)
        at.versions._unsaved.clear()
        await at.look()
        assert mirror.files == {}
        assert "the model of v10-0-9 is not in ads.versions" in at.mirroring.error

    worlds.run(check())


def test_a_bucket_that_is_silent_for_a_while_gets_all_versions_later(shard, s3, bucket, monkeypatch):
    async def check():
        monkeypatch.setattr(mirroring, "PUT_SECONDS", 1.0)
        mirror = BucketMirror(f"s3://{bucket}/headrace")
        at = shard(mirror)
        at.learn(10)
        s3.signal("SIGSTOP")
        try:
            await at.look()
        finally:
            s3.signal("SIGCONT")
        assert (at.mirroring.copied, at.mirroring.errands.failures) == (0, 1)
        monkeypatch.setattr(mirroring, "PUT_SECONDS", 60.0)
        at.now = 1000.0
        at.learn(10)
        await at.look()
        assert (at.mirroring.copied, at.mirroring.error) == (2, None)
        for version in at.saved.values():
            data = await mirror.begin(f"ads/0/{version.id}.model", 1 << 20)
            assert digest(read_model(unpack(data, KEY), TASK)) == version.digest

    worlds.run(check())
