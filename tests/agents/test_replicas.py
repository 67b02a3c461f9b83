"""Replicas: what they answer, and how a shard's table passes between a replica and the owner in the same process."""

import asyncio
import random
import time
from types import SimpleNamespace

import pytest
from worlds import fold, run, until

from headrace.agents import recovery
from headrace.agents.budget import Budget
from headrace.learning.snapshot import digest
from headrace.learning.task import Task
from headrace.tables.table import Table

FEATURES = {"x": 0.3, "y": "a"}


@pytest.mark.parametrize("model", ["logistic", "naive_bayes", "hoeffding_tree", "hat", "arf", "mondrian_forest"])
def test_a_replica_is_the_fold_up_to_its_position(world, model):
    async def check():
        at = world(Task(name="ads", kind="binary", model=model))
        owner, other = at.worker("owner"), at.worker("other")
        owner.shards.assign([0])
        other.shards.replicas.start()
        for _ in range(3):
            at.log.grow(0, 40)
            await until(lambda: (r := other.shards.answering(0)) is not None and r.position == at.log.end[0])
            replica = other.shards.answering(0)
            assert replica.status == "replica"
            learner = fold(at.task, at.log, 0, replica.position)
            assert (await replica.digests())[:2] == (replica.position, digest(learner.state))
            mine, theirs = replica.learner.champion.predict(FEATURES), learner.champion.predict(FEATURES)
            assert (mine.value, mine.probabilities) == (theirs.value, theirs.probabilities)
        await until(lambda: replica.staleness < 1)
        await owner.stop()
        await other.stop()

    run(check())


def test_a_task_without_any_snapshot_has_an_empty_model_to_answer_from(world):
    async def check():
        at = world(Task(name="ads", kind="binary", partitions=3))
        worker = at.worker("one")
        assert [lack.partition for lack in worker.shards.lacking()] == [0, 1, 2]
        worker.shards.replicas.start()
        await until(lambda: not list(worker.shards.lacking()))
        for partition in range(3):
            state = worker.shards.answering(partition).learner.state
            assert (state.position, state.updates) == (0, 0)
        await worker.stop()

    run(check())


def test_a_table_passes_between_replica_and_owner_and_is_whole_and_closed_at_the_end(world, tmp_path):
    """Two workers exchange four shards at random, at any moment of each other's openings."""

    async def check():
        at = world(Task(name="ads", kind="binary", partitions=4))
        dice, workers = random.Random(7), [at.worker("a"), at.worker("b")]
        for worker in workers:
            worker.shards.replicas.start()
        for _ in range(25):
            mine = {partition for partition in range(4) if dice.random() < 0.5}
            for worker in workers:
                await worker.shards.revoke()
            workers[0].shards.assign(mine)
            workers[1].shards.assign(set(range(4)) - mine)
            for partition in range(4):
                at.log.grow(partition, dice.randint(0, 15))
            await asyncio.sleep(dice.choice([0.0, 0.001, 0.005, 0.02, 0.2]))
            assert all(worker.shards.answering(p) is None or worker.shards.answering(p).learner for worker in workers for p in range(4))  # fmt: skip

        def settled():
            models = [worker.shards.answering(p) for worker in workers for p in range(4)]
            return all(model is not None for model in models) and [model.position for model in models] == [
                at.log.end[p] for _ in workers for p in range(4)
            ]

        await until(settled)
        states = [worker.shards.answering(p).status for worker in workers for p in range(4)]
        await until(lambda: sorted({worker.shards.answering(p).status for worker in workers for p in range(4)}) == ["live", "replica"])  # fmt: skip
        assert states.count("live") == 4
        for worker in workers:
            assert worker.table.opened() == [0, 1, 2, 3]
            for partition in range(4):
                at_position, known = (await worker.shards.answering(partition).digests())[:2]
                assert known == digest(fold(at.task, at.log, partition, at_position).state)
        for worker in workers:
            await worker.stop()
            assert worker.table.opened() == []
        for name in ("a", "b"):  # no lock was left, and each table holds what the changelog holds
            again = Table(at.changelog, tmp_path / name / "snapshots")
            for partition in range(4):
                await again.open(partition)
                expected = {entry.key: entry.value for entry in at.changelog.entries[partition]}
                expected = {key: value for key, value in expected.items() if value is not None}
                assert {
                    k: v for prefix in (b"chunk", b"manifest") for k, v in again.items(partition, prefix)
                } == expected
                again.close(partition)

    run(check())


def test_a_shard_that_was_followed_is_opened_from_what_is_there(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        owner, other = at.worker("owner"), at.worker("other")
        other.shards.replicas.start()
        owner.shards.assign([0])
        for _ in range(20):
            at.log.grow(0, 10)
            await until(lambda: owner.shards.owned[0].position == at.log.end[0])
        await owner.shards.revoke()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == at.log.end[0])
        assert len(at.changelog.entries[0]) > 10
        at.changelog.reads = 0
        other.shards.assign([0])
        await until(lambda: other.shards.answering(0).status == "live")
        assert (
            at.changelog.reads == 1
        )  # all of it was followed before; the last entry is looked at to recognise the changelog
        await owner.stop()
        await other.stop()

    run(check())


def test_nothing_is_applied_for_an_owned_shard(world):
    """What a snapshot needs of other tables is read before the furthest is looked for; a follower must not put a further one."""

    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker = at.worker("one")
        worker.shards.replicas.start()
        await until(lambda: worker.table.opened() == [0])
        worker.shards.owned[0] = None
        for _ in range(5):
            await at.changelog.append(0, b"manifest/x/0", b"{}")
            await asyncio.sleep(0.01)
        assert worker.table.followed(0) == 0
        del worker.shards.owned[0]
        await worker.stop()

    run(check())


def test_a_refused_snapshot_keeps_the_last_model_and_no_worker_from_being_ready(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        owner, keyless = at.worker("owner", key=b"secret"), at.worker("keyless")
        owner.shards.assign([0])
        at.log.grow(0, 10)
        await until(lambda: owner.shards.owned[0].saver.position == 10)
        keyless.shards.replicas.start()
        await until(lambda: keyless.shards.replicas.is_refused(0))
        assert "no key is configured" in keyless.shards.known()[0].error
        assert keyless.shards.answering(0) is None
        assert [lack[:3] for lack in keyless.shards.lacking()] == [(0, "stopped", "snapshot")]
        keyless.shards.owned[0] = SimpleNamespace(
            learner=None, status="stopped", code="snapshot", error="the snapshot is signed"
        )
        assert list(keyless.shards.lacking()) == [(0, "stopped", "snapshot", "the snapshot is signed")]
        del keyless.shards.owned[0]
        other = at.worker("other", key=b"secret")
        other.shards.replicas.start()
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == 10)
        other.collaborators.key = None
        at.log.grow(0, 10)
        await until(lambda: other.shards.answering(0).error is not None)
        assert other.shards.answering(0).position == 10
        for worker in (owner, keyless, other):
            await worker.stop()

    run(check())


def test_an_unsigned_snapshot_is_passed_by_where_a_key_is_configured(world):
    async def check():
        at = world(Task(name="ads", kind="binary"))
        owner, other, reader = at.worker("owner", key=b"secret"), at.worker("other"), at.worker("reader", key=b"secret")
        for worker, grown in ((owner, 10), (other, 20)):
            if worker is other:
                owner.shards.collaborators.snapshots.keep(0, 0, "")  # so that the other one has a snapshot to pass
                worker.collaborators.key = b"secret"
            worker.shards.assign([0])
            at.log.grow(0, 10)
            await until(lambda w=worker, n=grown: (s := w.shards.owned.get(0)) and s.saver.position == n)
            if worker is other:
                (
                    worker.collaborators.key,
                    worker.collaborators.snapshot_records,
                    worker.collaborators.snapshot_seconds,
                ) = None, 100, 100
                at.log.grow(0, 10)
                await until(lambda w=worker: w.shards.owned[0].position == 30)
                worker.collaborators.snapshot_records = (
                    5  # one unsigned snapshot: at a second one, that at 20 is removed
                )
                await until(lambda w=worker: w.shards.owned[0].saver.position == 30)
            await worker.shards.revoke()
        reader.shards.replicas.start()
        await until(lambda: (r := reader.shards.answering(0)) is not None and r.position == 20)
        assert reader.shards.known()[0].error is None
        for worker in (owner, other, reader):
            await worker.stop()

    run(check())


def busy(seconds):
    """Keep a processor busy for so long."""
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        pass


def test_a_worker_that_was_paused_is_not_charged_for_the_pause():
    """It would take no snapshot, and follow none, for twenty times as long."""
    now = 0.0
    budget = Budget(share=0.05, clock=lambda: now)
    budget.charge(lambda: busy(0.01))
    now = 0.1
    assert not budget.is_free()
    now = 10.0
    budget.charge(lambda: time.sleep(0.2))  # 4 seconds by a clock
    now = 12.0
    assert budget.is_free()


def test_snapshots_that_come_faster_than_the_budget_allows_are_passed_over(world, monkeypatch):
    async def check():
        at, read = world(Task(name="ads", kind="binary")), []
        unseal = recovery.unseal
        monkeypatch.setattr(recovery, "unseal", lambda *a, **k: (busy(0.01), read.append(1), unseal(*a, **k))[2])
        owner, other = at.worker("owner"), at.worker("other")
        other.shards.replicas.start()
        owner.shards.assign([0])
        for _ in range(40):
            at.log.grow(0, 10)
            await until(lambda: owner.shards.owned[0].saver.position == at.log.end[0])
        await until(lambda: (r := other.shards.answering(0)) is not None and r.position == at.log.end[0])
        manifests = [e for e in at.changelog.entries[0] if e.key.startswith(b"manifest/") and e.value]
        assert 1 <= len(read) < len(manifests) / 2
        await owner.stop()
        await other.stop()

    run(check())


def test_answers_never_go_back(world):
    """A shard that is opened behind what was last answered from answers only when it has passed it."""

    async def check():
        at = world(Task(name="ads", kind="binary"))
        worker = at.worker("one")
        worker.shards.assign([0])
        at.log.grow(0, 30)
        await until(lambda: worker.shards.owned[0].position == 30)
        ahead = worker.shards.last[0] = SimpleNamespace(
            learner=fold(at.task, at.log, 0, 35), position=35, status="stale", staleness=1.0
        )
        assert worker.shards.answering(0) is ahead
        at.log.grow(0, 10)
        await until(lambda: worker.shards.owned[0].position == 40)
        assert worker.shards.answering(0) is worker.shards.owned[0]
        assert not worker.shards.last
        await worker.stop()

    run(check())
