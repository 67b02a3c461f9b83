"""A saver takes its steps in order, ends with the first that fails, and says so until a later snapshot succeeds."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError
from worlds import learn, run, until

from headrace.learning.errors import StoreError
from headrace.learning.plain import plain_error
from headrace.learning.task import Task

TASK = Task(name="ads", kind="binary")


def steps_of(worker):
    """The names of what is called to save, in the order of their ends, from now on."""
    steps, collaborators = [], worker.collaborators

    def noted(name, call):
        async def step(*arguments):
            await call(*arguments)
            steps.append(name)

        return step

    collaborators.outlet.flush = noted("tell", collaborators.outlet.flush)
    collaborators.snapshots.save = noted("save", collaborators.snapshots.save)
    collaborators.commit = noted("commit", collaborators.commit)
    collaborators.pending.purge = noted("purge", collaborators.pending.purge)
    return steps


def test_effects_are_acknowledged_before_the_snapshot_and_the_snapshot_before_the_commit(world):
    async def check():
        at = world(TASK)
        worker = at.worker("one")
        steps = steps_of(worker)
        worker.shards.assign([0])
        await learn(at, worker, 10)
        await worker.stop()
        assert steps[:4] == ["tell", "save", "commit", "purge"]
        assert steps == ["tell", "save", "commit", "purge"] * (len(steps) // 4)

    run(check())


def test_a_shard_that_is_taken_away_meanwhile_commits_nothing(world):
    async def check():
        at = world(TASK)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 10)
        shard, save = worker.shards.owned[0], worker.collaborators.snapshots.save
        await until(
            lambda: shard.saver.position == 10 and not shard.saver.errands.are_running
        )  # or its end is noted too
        steps = steps_of(worker)

        async def save_late(*arguments):
            await save(*arguments)
            shard.status = "stale"

        worker.collaborators.snapshots.save = save_late
        at.log.grow(0, 10)
        await until(lambda: shard.status == "stale" and not shard.saver.errands.are_running)
        assert shard.saver.position > 10, "the snapshot is durable all the same"
        assert steps == ["tell"]
        await worker.stop()

    run(check())


@pytest.mark.parametrize("error", [KafkaConnectionError("away"), RuntimeError("a defect"), asyncio.CancelledError()])
def test_a_snapshot_that_fails_is_counted_and_tried_again(world, error):
    async def check():
        at = world(TASK)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 10)
        shard, save, is_away = worker.shards.owned[0], worker.collaborators.snapshots.save, True

        async def save_or_fail(*arguments):
            if is_away:
                raise error
            await save(*arguments)

        worker.collaborators.snapshots.save = save_or_fail
        at.log.grow(0, 10)
        await until(lambda: shard.saver.errands.failures == 2)
        assert shard.saver.errands.describe().error == plain_error(error)
        assert shard.error == f"the last snapshot was not saved: {plain_error(error)}"
        assert (shard.status, shard.saver.position) == ("live", 10)
        is_away = False
        await until(lambda: shard.saver.position == 20)
        await until(lambda: shard.error is None)
        await worker.stop()

    run(check())


def test_a_shard_that_takes_the_place_of_a_failed_one_commits_what_is_durable_and_no_more(world):
    async def check():
        at = world(TASK)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 10)
        await until(lambda: worker.shards.owned[0].saver.position == 10)
        failed, save, commits = worker.shards.owned[0], worker.collaborators.snapshots.save, []

        async def fail(*arguments):
            worker.collaborators.snapshots.save = save
            raise StoreError("the disk is full.")

        async def commit(partition, position):
            commits.append((position, worker.shards.owned[0].saver.position))

        worker.collaborators.snapshots.save, worker.collaborators.commit = fail, commit
        at.log.grow(0, 10)
        await until(lambda: worker.shards.owned[0] is not failed and worker.shards.owned[0].status == "live")
        assert commits[0] == (10, 10)
        await until(lambda: commits[-1] == (20, 20))
        await worker.stop()

    run(check())
