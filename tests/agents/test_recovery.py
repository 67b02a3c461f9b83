"""Which snapshot a shard goes on from, and a replica answers from, when the furthest cannot be used."""

import threading
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError
from sealed import in_parts, manifest, poisoned, sealed
from structlog.testing import capture_logs
from worlds import is_right, learn, run, until

from headrace.agents import recovery
from headrace.agents import replicas as replicas_module
from headrace.agents.budget import Budget
from headrace.agents.recovery import Recovered
from headrace.agents.replicas import Replica
from headrace.learning.errors import LogError, SnapshotError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import encode, peek, seal
from headrace.learning.snapshot.header import MAGIC
from headrace.learning.task import Task
from headrace.tables.changelog import CHUNK_MAX

KEY, TASK = b"k" * 32, Task(name="ads", kind="binary")
FAR = 10**9
FOREIGN = MAGIC + bytes(6)
"""The beginning of a snapshot of format 0, and nothing else: with its manifest the smallest that is refused."""


def put(at, place, value):
    return at.changelog.append(0, f"manifest/{place}/000000000001".encode(), value)


def others(position):
    """A snapshot of a task of another kind."""
    return manifest(position, seal(poisoned(TASK, position), Task(name="ads", kind="multiclass"), 0, writer="x"))


async def is_stopped(worker):
    await until(lambda: worker.shards.owned[0].status in ("stopped", "live"))
    assert worker.shards.owned[0].status == "stopped"
    return worker.shards.owned[0].error


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("makers", ["format", "kind"])
def test_a_snapshot_of_other_makers_stops_nobody_who_has_another_one(world, key, makers):
    async def check():
        at = world(TASK)
        worker, other = at.worker("one", key), at.worker("other", key)
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await worker.shards.revoke()
        await put(at, "x", manifest(FAR, FOREIGN) if makers == "format" else others(FAR))
        with capture_logs() as logs:
            worker.shards.assign([0])
            await until(lambda: worker.shards.owned[0].status != "opening")
        assert worker.shards.owned[0].status == "live", worker.shards.owned[0].error
        assert worker.shards.owned[0].saver.position == 50, "the log is not folded again"
        assert [(told["event"], told["snapshot"]) for told in logs if told["log_level"] == "warning"] == [
            ("a snapshot is passed by", "x/000000000001")
        ]
        other.shards.replicas.start()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == 50)
        for one in (worker, other):
            await one.stop()

    run(check())


@pytest.mark.parametrize("key", [None, KEY])
def test_where_none_can_be_used_the_furthest_refusal_is_told_and_nothing_is_folded(world, key):
    async def check():
        at = world(TASK)
        worker, other = at.worker("one", key), at.worker("other", key)
        at.log.grow(0, 50)
        await put(at, "a", b"")
        await put(at, "b", others(10))
        await put(at, "c", manifest(20, FOREIGN))
        await put(at, "d", manifest(30, b"damaged"))
        worker.shards.assign([0])
        assert "format is 0, not" in await is_stopped(worker)
        assert worker.shards.owned[0].learner is None
        other.shards.replicas.start()
        await until(lambda: other.shards.replicas.is_refused(0))
        assert "format is 0, not" in other.shards.known()[0].error
        for one in (worker, other):
            await one.stop()

    run(check())


def test_a_signed_snapshot_is_refused_at_once_where_no_key_is_configured(world):
    """Going on from the unsigned one before it, the worker would save what the others pass by."""

    async def check():
        at = world(TASK)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await worker.shards.revoke()
        await put(at, "x", manifest(60, seal(poisoned(TASK, 60), TASK, 0, writer="x", snapshot_key=KEY)))
        worker.shards.assign([0])
        assert "Configure the key" in await is_stopped(worker)
        await worker.stop()

    run(check())


def test_a_log_that_is_folded_from_its_beginning_says_why(world):
    """With another key than before, for example: nothing else would tell that all is folded again."""

    async def check():
        at = world(Task(name="ads", kind="binary"))
        for key, notice in ((b"a" * 32, None), (b"b" * 32, "not signed with the configured key")):
            worker = at.worker(key.decode()[:1], key=key)
            worker.shards.assign([0])
            at.log.grow(0, 10)
            await until(lambda w=worker: w.shards.owned[0].saver.position == at.log.end[0])
            told = worker.shards.owned[0].notice
            assert told is None if notice is None else f"{notice}" in told and told.endswith("folded again from 0.")
            await worker.stop()

    run(check())


def test_a_replica_says_what_is_refused_for_as_long_as_it_is_there_and_follows_what_is_not(world):
    async def check():
        at = world(TASK)
        owner, other = at.worker("owner", KEY), at.worker("other", KEY)
        owner.shards.assign([0])
        await learn(at, owner, 20)
        other.shards.replicas.start()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == 20)
        replica = other.shards.answering(0)
        assert replica.error is None
        await put(at, "x", manifest(FAR, FOREIGN))
        await until(lambda: replica.error is not None)
        assert "format is 0, not" in replica.error
        assert other.shards.answering(0) is replica
        assert not other.shards.replicas.is_refused(0)
        told = set()
        for _ in range(3):
            at.log.grow(0, 10)
            await until(lambda: told.add(replica.error) or replica.position == at.log.end[0])
        assert len(told) == 1, "it comes and goes"
        await put(at, "x", None)
        await until(lambda: replica.error is None)
        for one in (owner, other):
            await one.stop()

    run(check())


def oddly(state, what):
    """Make a state odd in a way that its encoding allows."""
    match what:
        case "no join":
            state.join = 5
        case "what is no mark":
            state.last = 5
        case "no clock":
            state.clock = "a"
        case "an order that is none":
            state.join.oldest = "ab"


@pytest.mark.parametrize("what", ["no join", "what is no mark", "no clock", "an order that is none"])
def test_a_state_that_cannot_be_used_is_passed_by(world, monkeypatch, what):
    """Whatever the reading of a snapshot lets through; here it lets through anything."""

    async def check():
        at = world(TASK)
        worker, other = at.worker("one"), at.worker("other")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await worker.shards.revoke()
        await put(at, "x", manifest(60, seal(poisoned(TASK, 60), TASK, 0, writer="x")))
        sound = recovery.unseal

        def unseal(data, *arguments, **options):
            state = sound(data, *arguments, **options)
            if peek(data).writer == "x":
                oddly(state, what)
            return state

        monkeypatch.setattr(recovery, "unseal", unseal)
        at.log.grow(0, 20)
        worker.shards.assign([0])
        await until(lambda: worker.shards.owned[0].status == "live")
        await is_right(at, worker)
        assert worker.shards.owned[0].error is None
        other.shards.replicas.start()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position >= 50)
        for one in (worker, other):
            await one.stop()

    run(check())


@pytest.mark.parametrize(
    "error", [KafkaConnectionError(), OSError("away"), StoreError("closed"), LogError("another log")]
)
def test_what_is_no_fault_of_a_snapshot_does_not_have_it_passed_by(world, error):
    async def check():
        at = world(TASK)
        worker, failed = at.worker("one"), []
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await worker.shards.revoke()
        sound = worker.collaborators.log.check

        async def fails_once(partition, last, position):
            if position and not failed:
                failed.append(position)
                raise error
            await sound(partition, last, position)

        worker.collaborators.log.check = fails_once
        with capture_logs() as logs:
            worker.shards.assign([0])
            await until(lambda: worker.shards.owned[0].status != "opening")
        assert worker.shards.owned[0].status == ("stopped" if isinstance(error, LogError) else "live")
        assert "a snapshot is passed by" not in [told["event"] for told in logs]
        worker.collaborators.log.check = sound
        await worker.stop()

    run(check())


def test_a_replica_whose_state_cannot_be_used_keeps_its_last_one():
    replica = Replica(TASK, 0, SimpleNamespace(budget=Budget(), wall=lambda: 0.0))
    replica.take_up(Recovered(Learner(TASK, 0).state, 1, "x/1"))
    kept, odd = replica.learner, Learner(TASK, 0).state
    odd.clock = "a"
    with pytest.raises(TypeError):
        replica.take_up(Recovered(odd, 1, "x/2", SnapshotError("refused.")))
    assert (replica.learner, replica.error) == (kept, None)


def test_a_replica_that_fails_closes_no_other_one(world, monkeypatch):
    async def check():
        at = world(Task(name="ads", kind="binary", partitions=2))
        owner, other, failed, closed = at.worker("owner"), at.worker("other"), [], []
        owner.shards.assign([0, 1])
        other.shards.replicas.start()
        await until(lambda: other.table.opened() == [0, 1] and not list(other.shards.lacking()))
        sound, close = replicas_module.recover, other.table.close

        async def recover(collaborators, partition, *arguments, **options):
            if collaborators is other.collaborators and partition == 0 and not failed:
                failed.append(partition)
                raise StoreError("the disk is full.")
            return await sound(collaborators, partition, *arguments, **options)

        def closing(partition):
            closed.append(partition)
            close(partition)

        monkeypatch.setattr(replicas_module, "recover", recover)
        other.table.close = closing
        for partition in (0, 1):
            at.log.grow(partition, 20)
        await until(lambda: all((r := other.shards.answering(p)) is not None and r.position == 20 for p in (0, 1)))
        assert (failed, closed) == ([0], [0])
        for one in (owner, other):
            await one.stop()

    run(check())


def test_of_a_snapshot_without_the_signature_only_the_first_part_is_fetched_and_that_in_a_thread(world):
    async def check():
        at = world(TASK)
        worker, fetched = at.worker("one", KEY), []
        worker.shards.assign([0])
        await learn(at, worker, 20)
        for key, value in in_parts(sealed(FAR, bytes(3 * CHUNK_MAX)), FAR):
            await at.changelog.append(0, key, value)
        await worker.shards.revoke()
        sound = worker.table.get

        def get(partition, key):
            fetched.append((key, threading.current_thread() is threading.main_thread()))
            return sound(partition, key)

        def items(partition, prefix):
            if worker.shards.owned[0].status == "opening":
                fetched.append((prefix, threading.current_thread() is threading.main_thread()))
            yield from sound_items(partition, prefix)

        sound_items, worker.table.items = worker.table.items, items
        worker.table.get = get
        worker.shards.assign([0])
        await is_right(at, worker)
        assert not any(is_main for _, is_main in fetched)
        assert [key for key, _ in fetched if b"/x/" in key] == [
            b"manifest/x/000000000001",
            b"chunk/x/000000000001/00000",
        ]
        await worker.stop()

    run(check())


@pytest.mark.parametrize("is_large", [True, False])
def test_what_a_state_has_unpacked_decides_whether_the_collector_is_kept_away(world, monkeypatch, is_large):
    async def check():
        at = world(TASK)
        worker, ran = at.worker("one"), []
        worker.shards.assign([0])
        await learn(at, worker, 20)
        size = len(encode(worker.shards.owned[0].learner.state))
        await worker.shards.revoke()
        monkeypatch.setattr(recovery, "LARGE_BYTES", size - 1 if is_large else size)
        monkeypatch.setattr(recovery.collector_pause, "run", lambda work: ran.append(work) or work())
        worker.shards.assign([0])
        await is_right(at, worker)
        assert len(ran) == is_large
        await worker.stop()

    run(check())
