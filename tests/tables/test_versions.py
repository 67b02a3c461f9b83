"""A model that lies in the topic is found by who reads it without a database: as a whole, or not at all."""

import asyncio
import hashlib
import random

import pytest
import worlds
from fakes.changelog import Changelog

from headrace.tables import versions
from headrace.tables.database import Database
from headrace.tables.table import Table
from headrace.tables.versions import ModelFinder, ShardVersions, VersionTable, entries, made_for

run = worlds.run


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(versions, "CHUNK_MAX", 100)


def model(seed=1, size=1000):
    data = random.Random(seed).randbytes(size)
    return hashlib.sha256(data).hexdigest(), data


def written(digest, data):
    return list(entries(digest, data, position=7, origin="fold"))


def test_a_model_is_found_among_others_when_its_last_entry_is_there(small_chunks):
    async def check():
        topic, (digest, data), (other, more) = Changelog(), model(1), model(2)
        finder = ModelFinder(topic, 0, digest)
        assert await finder.find() is None
        for entry in written(other, more) + written(digest, data):
            assert await finder.find() is None
            await topic.append(0, *entry)
        assert await finder.find() == data
        assert len(written(digest, data)) > 5
        assert await ModelFinder(topic, 0, digest).find() == data
        assert await ModelFinder(topic, 1, digest).find() is None

    run(check())


def test_it_reads_on_where_it_was_and_not_from_the_beginning(small_chunks):
    async def check():
        topic, (digest, data) = Changelog(), model()
        finder = ModelFinder(topic, 0, digest)
        for entry in written(digest, data):
            await topic.append(0, *entry)
        await finder.find()
        reads = topic.reads
        assert await finder.find() == data
        assert topic.reads <= reads + 1, "the entry before, by which the topic is recognised"

    run(check())


def test_a_model_that_is_damaged_or_was_removed_is_not_there(small_chunks):
    async def check():
        digest, data = model()
        whole = written(digest, data)
        for at, (key, value) in enumerate(whole):
            for put in (None, value[:-1], bytes([value[0] ^ 1]) + value[1:]):
                topic = Changelog()
                for entry in whole[:at] + whole[at + 1 :]:
                    await topic.append(0, *entry)
                await topic.append(0, key, put)
                assert await ModelFinder(topic, 0, digest).find() is None, (key, put)

    run(check())


def test_a_shard_reads_the_same_with_others_let_in(small_chunks, tmp_path):
    async def check():
        table = VersionTable(Table(Changelog(), tmp_path / "versions"))
        await table.table.open(0)
        shard, (digest, data) = ShardVersions(table, 0), model()
        assert await shard.read(digest) is None
        shard.put(digest, data, position=1)
        assert await shard.read(digest) == data
        await shard.save()
        assert await shard.read(digest) == shard.get(digest) == data
        table.table.close(0)

    run(check())


def test_a_removal_that_a_crash_has_cut_short_is_finished_by_the_next_one(small_chunks, tmp_path):
    async def check():
        topic, (digest, data) = Changelog(), model()
        table = VersionTable(Table(topic, tmp_path / "versions"))
        await table.table.open(0)
        await table.put(0, digest, data, position=7, origin="fold")
        for left in range(len(written(digest, data))):
            topic.left = 1
            with pytest.raises(ConnectionError):
                await table.retain(0, (), before=8)
            assert table.get(0, digest, "fold") is None, left
        topic.left = None
        await table.retain(0, (), before=8)
        assert list(table.table.items(0, b"chunk/")) == list(table.table.items(0, b"manifest/")) == []
        table.table.close(0)

    run(check())


def test_models_are_listed_and_removed_without_a_chunk_being_read(small_chunks, tmp_path, monkeypatch):
    read, items = [], Database.items

    def spy(self, start):
        for key, value in items(self, start):
            read.append(value)
            yield key, value

    async def check():
        table, models = VersionTable(Table(Changelog(), tmp_path / "versions")), [model(seed) for seed in range(5)]
        await table.table.open(0)
        for position, (digest, data) in enumerate(models):
            await table.put(0, digest, data, position=position, origin="fold")
            await table.put(0, digest, data, position=position, origin=made_for("j"))
        monkeypatch.setattr(Database, "items", spy)
        held = table.held(0)
        assert {one.digest: one.manifest.position for one in held} == {models[at][0]: at for at in range(5)}
        await table.retain(0, [models[0][0]], before=3)
        assert {one.digest for one in table.held(0)} == {models[at][0] for at in (0, 3, 4)}
        assert {value for value in read if not value.startswith(b"{")} == set()
        assert [table.get(0, digest, made_for("j")) for digest, _ in models] == [data for _, data in models]
        table.table.close(0)

    run(check())


def test_a_model_that_is_saved_again_stays_though_it_had_been_dropped(small_chunks, tmp_path):
    async def check():
        topic, (digest, data) = Changelog(), model()
        table = VersionTable(Table(topic, tmp_path / "versions"))
        await table.table.open(0)
        await table.put(0, digest, data, position=7, origin="fold")
        end = topic.end()
        for position in (20, 20, 5):
            await table.put(0, digest, data, position=position, origin="fold")
        assert topic.end() == end + 1, "the manifest alone, once"
        assert table.held(0)[0].manifest.position == 20
        await table.retain(0, (), before=20)
        assert table.get(0, digest, "fold") == data
        await table.retain(0, (), before=21)
        assert table.held(0) == []
        table.table.close(0)

    run(check())


def test_a_model_that_waits_to_be_saved_again_is_not_removed(small_chunks, tmp_path):
    async def check():
        table, (digest, data) = VersionTable(Table(Changelog(), tmp_path / "versions")), model()
        await table.table.open(0)
        shard = ShardVersions(table, 0)
        shard.put(digest, data, position=7)
        await shard.save()
        shard.put(digest, data, position=20)
        await shard.retain((), before=8)
        assert table.get(0, digest, "fold") == data
        await shard.save()
        await shard.retain((), before=20)
        assert shard.get(digest) == data
        table.table.close(0)

    run(check())


def test_a_model_that_is_saved_again_while_another_is_removed_stays(small_chunks, tmp_path):
    async def check():
        (first, second), topic = sorted([model(1), model(2)]), Changelog()
        table = VersionTable(Table(topic, tmp_path / "versions"))
        await table.table.open(0)
        shard = ShardVersions(table, 0)
        for digest, data in (first, second):
            shard.put(digest, data, position=7)
        await shard.save()
        removing = asyncio.create_task(shard.retain((), before=8))
        await asyncio.sleep(0)
        shard.put(*second, position=20)
        await removing
        assert (shard.get(first[0]), table.get(0, second[0], "fold")) == (None, second[1])
        table.table.close(0)

    run(check())


def test_a_model_that_is_saved_again_while_it_is_written_gets_the_newer_position(small_chunks, tmp_path):
    async def check():
        table, (digest, data) = VersionTable(Table(Changelog(), tmp_path / "versions")), model()
        await table.table.open(0)
        shard = ShardVersions(table, 0)
        shard.put(digest, data, position=7)
        saving = asyncio.create_task(shard.save())
        await asyncio.sleep(0)
        shard.put(digest, data, position=20)
        await saving
        await shard.save()
        assert table.held(0)[0].manifest.position == 20
        table.table.close(0)

    run(check())
