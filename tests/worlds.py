"""Workers in one process, around logs and changelogs in memory; the tables are real."""

import asyncio
import json
import random
import time
from types import SimpleNamespace

import harness

from headrace.agents import replicas as replicas_module
from headrace.agents.budget import Budget
from headrace.agents.shards import Shards
from headrace.learning.errors import LogError, ReplacedError
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest
from headrace.learning.task import Task, Unanswered
from headrace.tables.changelog import Entry
from headrace.tables.kafka.asker import Look
from headrace.tables.kafka.log import recognise
from headrace.tables.pending import PendingTable
from headrace.tables.snapshots import Snapshots
from headrace.tables.table import Table

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


class Log:
    """The event logs, one a partition, each as far as it has been let grow."""

    def __init__(self, partitions, count=400):
        self.all = {partition: list(messages(count, partition)) for partition in range(partitions)}
        self.end = dict.fromkeys(self.all, 0)
        self.is_compacted = False

    def grow(self, partition, count):
        self.end[partition] = min(self.end[partition] + count, len(self.all[partition]))

    async def read(self, partition, start, end):
        for message in list(self.all[partition]):
            await asyncio.sleep(0)
            if start <= message.offset < end:
                yield message

    async def ends(self, partitions):
        await asyncio.sleep(0)
        return {partition: self.end[partition] for partition in partitions}

    async def check(self, partition, last, position):
        await asyncio.sleep(0)
        at, end = last[0] if last else position - 1, self.end[partition]
        found = [message for message in self.all[partition][:end] if message.offset == at]
        recognise(f"ads.events/{partition}", Look(0, end, found[0] if found else None), last, position)

    async def check_hole(self, partition, start, end):
        await asyncio.sleep(0)
        if self.is_compacted:
            raise LogError("the topic is compacted.")

    async def append(self, partition, value, timestamp):
        """Only ticks are appended, which change nothing but the clock; here none is needed."""


class Changelog:
    """One in memory, with its follower."""

    def __init__(self):
        self.entries = {}
        self.reads = 0

    async def append(self, partition, key, value):
        await asyncio.sleep(0)
        self.entries.setdefault(partition, []).append((key, value))
        offset = len(self.entries[partition]) - 1
        await asyncio.sleep(0)
        return offset

    async def read(self, partition, following):
        if len(self.entries.get(partition, [])) < following:
            raise ReplacedError("shorter")
        for offset, (key, value) in list(enumerate(self.entries.get(partition, [])))[max(following - 1, 0) :]:
            self.reads += 1
            await asyncio.sleep(0)
            yield Entry(offset, key, value)

    def follower(self):
        changelog = self

        class Follower:
            def __init__(self):
                self.starts = {}

            async def follow(self, starts):
                await asyncio.sleep(0)
                self.starts = dict(starts)

            async def poll(self, seconds):
                await asyncio.sleep(0.001)
                found = {}
                for partition, start in self.starts.items():
                    known = changelog.entries.get(partition, [])
                    found[partition] = [Entry(offset, *known[offset]) for offset in range(start, len(known))]
                    self.starts[partition] = len(known)
                return {partition: entries for partition, entries in found.items() if entries}

            async def stop(self):
                self.starts = {}

        return Follower()


class Outlet:
    async def tell(self, partition, effects):
        await asyncio.sleep(0)

    async def flush(self, partition):
        await asyncio.sleep(0)


class Worker:
    """A process with its own tables, around a shared log and shared changelogs."""

    def __init__(self, task, log, changelog, segments, folder, name, key=None):
        async def commit(partition, position):
            await asyncio.sleep(0)

        self.table = Table(changelog, folder / name / "snapshots")
        self.collaborators = SimpleNamespace(
            task=task,
            log=log,
            outlet=Outlet(),
            follower=changelog.follower(),
            snapshots=Snapshots(self.table, name),
            pending=PendingTable(
                segments,
                folder / name / "pending",
                task=task.name,
                snapshot_key=key,
                writer=name,
                fold=task.fingerprint,
                wait=task.wait_ms,
            ),
            wall=time.time,
            writer=name,
            key=key,
            own_modules=(),
            budget=Budget(share=1.0),
            snapshot_records=5,
            snapshot_seconds=0.01,
            commit=commit,
        )
        self.shards = Shards(task, self.collaborators)

    async def stop(self):
        await self.shards.stop()


def world_in(tmp_path, monkeypatch):
    """A function that makes the world of a task, with little patience."""
    monkeypatch.setattr(replicas_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(replicas_module, "ENDS_SECONDS", 0.02)
    monkeypatch.setattr("headrace.agents.shards.WATCH_SECONDS", 0.005)
    monkeypatch.setattr(
        "headrace.agents.shard.STUCK_SECONDS", 0.0
    )  # nothing is delivered here: all is read from the log
    monkeypatch.setattr("headrace.agents.assigned.RETRY_SECONDS", 0.02)
    monkeypatch.setattr("headrace.agents.shards.RETRY_SECONDS", 0.02)

    def make(task):
        log, changelog, segments = Log(task.partitions), Changelog(), Changelog()

        def worker(name, key=None):
            return Worker(task, log, changelog, segments, tmp_path, name, key)

        return SimpleNamespace(task=task, log=log, changelog=changelog, segments=segments, worker=worker)

    return make


async def until(true, seconds=20):
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
    assert await shard.digest() == (at.log.end[0], digest(folded(at).state))
