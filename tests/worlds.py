"""Workers in one process, around logs and changelogs in memory; the tables are real."""

import asyncio
import json
import random
import time
from types import SimpleNamespace

import harness
from fakes.world import World

from headrace.agents.shards import Shards
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest
from headrace.learning.task import Task, Unanswered

WAITING = Task(name="ads", kind="binary", wait="1000s", unanswered=Unanswered(assume=False))
"""A task whose questions wait for their labels."""


def messages(count, seed=1):
    dice = random.Random(seed)
    for offset in range(count):
        sample = {"features": {"x": dice.gauss(0, 1), "y": dice.choice("ab")}, "label": dice.random() < 0.5}
        yield SimpleNamespace(offset=offset, timestamp=offset, key=None, value=json.dumps(sample).encode())


def asking(count, step=100):
    """A log of questions whose labels come twenty messages later; `step` milliseconds apart, so that none expires within its wait."""
    for offset in range(count):
        asked = {"id": f"q{offset}", "features": {"x": float(offset % 7)}}
        label = {"id": f"q{offset - 20}", "label": offset % 3 == 0}
        value = json.dumps(asked) if offset < 20 else f"{json.dumps(asked)}\n{json.dumps(label)}"
        yield SimpleNamespace(offset=offset, timestamp=offset * step, key=None, value=value.encode())


class Worker:
    """A process with its own tables, around a shared log and shared changelogs."""

    def __init__(self, at, folder, name, key=None):
        self.collaborators = at.collaborators(folder / name, name, key)
        self.table = self.collaborators.snapshots.table
        self.shards = Shards(at.task, self.collaborators)

    async def stop(self):
        await self.shards.stop()


def world_in(tmp_path):
    """A function that makes the world of a task."""

    def make(task):
        at = World(task, [list(messages(400, partition)) for partition in range(task.partitions)], end=0)
        at.worker = lambda name, key=None: Worker(at, tmp_path, name, key)
        return at

    return make


async def until(true, seconds=20):
    """Wait until a condition holds that other tasks bring about; AssertionError if it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to be"
        await asyncio.sleep(0.005)


def fold(task, log, partition, position):
    return harness.fold(task, partition, log.all[partition][:position])[0]


def run(coroutine):
    return asyncio.run(coroutine)


def folded(at, partition=0):
    """The uninterrupted fold of the log that is there."""
    learner = Learner(at.task, partition)
    for message in at.log.all[partition][: at.log.end[partition]]:
        for _ in learner.fold(message):
            pass
    return learner


async def learn(at, worker, count):
    """Grow the log, and wait until the worker has learned and saved all of it."""
    at.log.grow(0, count)
    await until(lambda: (s := worker.shards.owned[0]).status == "live" and s.saver.position == at.log.end[0])


async def is_right(at, worker):
    await until(
        lambda: (s := worker.shards.owned[0]).status == "stopped" or (s.status, s.position) == ("live", at.log.end[0])
    )
    shard = worker.shards.owned[0]
    assert shard.status == "live", shard.error
    assert (await shard.digests())[:2] == (at.log.end[0], digest(folded(at).state))
