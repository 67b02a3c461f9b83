"""The pending table: what was put is found by id and by step, stored or not, whoever wrote it, until its time has passed."""

import asyncio
import math
import shutil

import pytest
from fakes.changelog import Changelog

from headrace.learning.waiting.join import WaitingQuestion, encode
from headrace.learning.waiting.pending import InMemory, PendingEntry
from headrace.tables.pending import CHUNK, PendingTable, ShardPending, StepIndex
from headrace.tables.segment import ENTRIES_MAX, SEGMENT_MAX, Packer, Segment

WAIT = 10_000


def waiting(step, name="q", time=None, size=0):
    return PendingEntry(
        step, name, encode(WaitingQuestion(step if time is None else time, {"x": "x" * size}, {}, None))
    )


def table(log, folder, writer="one", fold="a", key=None):
    return PendingTable(log, folder, task="ads", snapshot_key=key, writer=writer, fold=fold)


def with_shard(log, folder, work, **options):
    async def run():
        opened = table(log, folder, **options)
        await opened.open(0)
        await opened.adopt(0, opened.fold)  # as the owner does, whatever the database was filled with
        shard = ShardPending(opened, 0)
        try:
            return await work(shard)
        finally:
            shard.close()
            opened.close(0)

    return asyncio.run(run())


def everything(shard, names=("q", "r")):
    """All entries, as they are found by step and by id."""
    found, step = [], 0
    while (one := shard.following(step)) is not None:
        found.append(one)
        step = one.step + 1
    by_id = sorted(entry for name in names for entry in shard.of(name))
    assert by_id == found
    return found


ENTRIES = [waiting(1), waiting(3, "r"), waiting(4), waiting(9, "r")]


@pytest.mark.parametrize("saved", range(len(ENTRIES) + 1))
def test_entries_are_found_whether_they_are_stored_or_still_in_memory(tmp_path, saved):
    async def work(shard):
        for number, entry in enumerate(ENTRIES):
            if number == saved:
                await shard.save()
            shard.put(entry)
            assert everything(shard) == ENTRIES[: number + 1]
        assert shard.following(5) == ENTRIES[3]
        assert shard.following(10) is None
        assert shard.of("nobody") == []

    with_shard(Changelog(), tmp_path, work)


def test_what_was_saved_is_found_by_another_process_with_and_without_the_folder(tmp_path):
    log = Changelog()

    async def write(shard):
        for entry in ENTRIES:
            shard.put(entry)
        await shard.save()
        shard.put(waiting(12))  # this one is lost with the process

    async def read(shard):
        return everything(shard)

    with_shard(log, tmp_path, write)
    assert with_shard(log, tmp_path, read) == ENTRIES
    shutil.rmtree(tmp_path)
    assert with_shard(log, tmp_path, read, writer="two") == ENTRIES


def test_a_shorter_segment_of_a_late_writer_takes_nothing_from_a_longer_one(tmp_path):
    log = Changelog()

    async def write(shard):
        for entry in ENTRIES:
            shard.put(entry)
        await shard.save()

    async def write_less(shard):
        shard.put(ENTRIES[0])
        await shard.save()

    async def read(shard):
        return everything(shard)

    with_shard(log, tmp_path / "one", write, writer="one")
    with_shard(log, tmp_path / "two", write_less, writer="two")
    assert with_shard(log.compacted(), tmp_path / "three", read) == ENTRIES


def test_large_amounts_go_into_several_segments(tmp_path):
    log = Changelog()

    async def work(shard):
        for step in range(30):
            shard.put(waiting(step, size=SEGMENT_MAX // 10))
        assert shard.is_full
        await shard.save()
        assert not shard.is_full
        assert len(log.entries[0]) == 3
        assert [entry.step for entry in everything(shard)] == list(range(30))

    with_shard(log, tmp_path, work)


def test_what_is_put_while_others_are_being_saved_is_not_lost(tmp_path):
    async def work(shard):
        shard.put(waiting(1))
        saving = asyncio.create_task(shard.save())
        await asyncio.sleep(0)
        shard.put(waiting(2))
        await saving
        assert everything(shard) == [waiting(1), waiting(2)]
        await shard.save()
        assert everything(shard) == [waiting(1), waiting(2)]

    with_shard(Changelog(), tmp_path, work)


def test_only_what_had_expired_at_the_given_clock_is_purged_and_its_segments_with_it(tmp_path):
    log = Changelog()

    async def work(shard):
        for step in (1, 2):
            shard.put(waiting(step))
        await shard.save()
        for step in (3, 4):
            shard.put(waiting(step))
        await shard.save()
        await shard.table.purge(0, 1)
        assert [entry.step for entry in everything(shard)] == [2, 3, 4]
        assert len(log.compacted().entries[0]) == 2
        await shard.table.purge(0, 3)
        assert [entry.step for entry in everything(shard)] == [4]
        assert len(log.compacted().entries[0]) == 1

    async def read(shard):
        return [entry.step for entry in everything(shard)]

    with_shard(log, tmp_path / "one", work)
    assert with_shard(log.compacted(), tmp_path / "two", read) == [3, 4]  # the rest of a segment stays with it


def test_a_purge_of_many_goes_on_to_the_end(tmp_path):
    async def work(shard):
        for step in range(2 * CHUNK + 7):
            shard.put(waiting(step, time=0))
        await shard.save()
        await shard.table.purge(0, 0)
        assert everything(shard) == []

    with_shard(Changelog(), tmp_path, work)


@pytest.mark.parametrize("same_folder", [True, False])
def test_entries_of_a_fold_that_has_begun_by_another_definition_are_passed_by(tmp_path, same_folder):
    log = Changelog()

    async def write(shard):
        shard.put(waiting(1))
        await shard.save()

    async def read(shard):
        return everything(shard)

    with_shard(log, tmp_path, write, fold="a")
    folder = tmp_path if same_folder else tmp_path / "other"
    assert with_shard(log, folder, read, fold="b") == []
    assert with_shard(log, folder, read, fold="a") == [waiting(1)]


def test_a_closed_shard_gives_its_lock_back_even_in_the_middle_of_a_reading(tmp_path):
    async def run():
        log = Changelog()
        for _ in range(2):
            opened = table(log, tmp_path)
            await opened.open(0)
            shard = ShardPending(opened, 0)
            for step in range(100):
                shard.put(waiting(step))
            await shard.save()
            assert shard.following(5).step == 5
            shard.close()
            opened.close(0)

    asyncio.run(run())


def test_the_table_finds_what_the_one_in_memory_finds(tmp_path):
    memory = InMemory()

    async def work(shard):
        for step in range(0, 300, 3):
            entry = waiting(step, f"q{step % 17}")
            shard.put(entry)
            memory.put(entry)
            if step % 40 == 0:
                await shard.save()
            for name in ("q3", "q5", "nobody"):
                assert shard.of(name) == memory.of(name)
            for start in (0, step // 2, step, step + 1):
                assert shard.following(start) == memory.following(start)

    with_shard(Changelog(), tmp_path, work)


@pytest.mark.parametrize("name", ["q", "\U0001f600" * 256])
def test_many_small_entries_and_long_ids_go_into_segments_that_are_read_again(tmp_path, name):
    log, steps = Changelog(), range(2 * ENTRIES_MAX)

    async def write(shard):
        for step in steps:
            shard.put(waiting(step, name))
        await shard.save()

    async def read(shard):
        return [entry.step for entry in shard.of(name)]

    with_shard(log, tmp_path / "one", write)
    assert with_shard(log, tmp_path / "two", read) == list(steps)


def test_steps_under_one_id_are_not_compared_each_with_each():
    compared, count = 0, 1000

    class Step(bytes):
        __slots__ = ()
        __hash__ = bytes.__hash__

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return bytes.__eq__(self, other)

        def __lt__(self, other):
            nonlocal compared
            compared += 1
            return bytes.__lt__(self, other)

    class Nothing:
        def get(self, key):
            return None

    class Batch(dict):
        put = dict.__setitem__

    under, batch = StepIndex(Nothing()), Batch()
    steps = [Step((step * 7919 % count).to_bytes(8, "big")) for step in range(count)]
    for step in steps:
        under.add("q", step)
    under.write(batch)
    assert batch[b"iq"] == b"".join(sorted(steps))
    assert compared < 4 * count * math.log2(count)


KEY, OTHER = b"k" * 32, b"x" * 32


def forged(key=None, task="ads", partition=0, place=b"two/0"):
    """A segment in the place of ENTRIES, with other features."""
    entries = [waiting(step, name, size=9) for step, name, _ in ENTRIES]
    return place, Packer(task, key).pack(partition, place, Segment("a", 9, entries))


@pytest.mark.parametrize(
    "record",
    [
        forged(),
        forged(OTHER),
        forged(KEY, task="bids"),
        forged(KEY, partition=1),
        (b"two/1", forged(KEY)[1]),
        (b"one/0", forged(KEY)[1]),
    ],
    ids=["unsigned", "another key", "another task", "another partition", "another record", "in place of another"],
)
def test_with_a_key_only_what_is_signed_for_its_place_is_taken(tmp_path, record):
    log = Changelog()

    async def write(shard):
        for entry in ENTRIES:
            shard.put(entry)
        await shard.save()
        await log.append(0, *record)
        shard.put(waiting(12))
        await shard.save()

    async def read(shard):
        return everything(shard)

    for folder in ("one", "two"):
        with_shard(log, tmp_path / folder, write if folder == "one" else read, key=KEY)
    assert with_shard(log, tmp_path / "three", read, key=KEY) == [*ENTRIES, waiting(12)]


@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_signed_with_the_key_of_the_table_is_taken(tmp_path, key):
    """The mutant of the test above: with the right key, or where there is none, the forged segment is in the table."""
    log = Changelog()

    async def work(shard):
        for entry in ENTRIES:
            shard.put(entry)
        await shard.save()
        await log.append(0, *forged(key))
        await shard.table.catch_up(0)
        return everything(shard)

    assert with_shard(log, tmp_path, work, key=key) == [waiting(step, name, size=9) for step, name, _ in ENTRIES]


@pytest.mark.parametrize(("before", "after"), [(None, KEY), (OTHER, KEY), (KEY, None)])
def test_a_database_that_was_filled_under_another_key_is_made_anew(tmp_path, before, after):
    log = Changelog()

    async def write(shard):
        shard.put(waiting(1))
        await shard.save()

    async def read(shard):
        return everything(shard)

    with_shard(log, tmp_path, write, key=before)
    assert with_shard(log, tmp_path, read, key=before) == [waiting(1)]
    assert with_shard(log, tmp_path, read, key=after) == []


def test_an_entry_that_another_takes_the_place_of_is_not_looked_for_under_its_id(tmp_path):
    log = Changelog()

    async def work(shard):
        shard.put(waiting(1))
        shard.put(waiting(2))
        await shard.save()
        await log.append(0, b"two/0", Packer("ads", None).pack(0, b"two/0", Segment("a", 1, [waiting(1, "r")])))
        await shard.table.catch_up(0)
        assert everything(shard) == [waiting(1, "r"), waiting(2)]
        await shard.table.purge(0, 1)
        assert everything(shard) == [waiting(2)]

    with_shard(log, tmp_path, work)
