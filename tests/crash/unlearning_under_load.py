"""Poison is taken out while the task learns and answers, and while workers are killed: what is installed never saw it, and lost nothing else."""

import asyncio
import contextlib
import json
import random
from typing import NamedTuple

import availability
import harness
import httpx

from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task

POISON = 600
"""Samples among which there is poison, until it is taken out."""


class Case(NamedTuple):
    """A share of flipped labels, and whether they come one after the other or anywhere."""

    share: float
    burst: bool


CASES = [Case(share, burst) for share in (0.01, 0.05, 0.2) for burst in (True, False)]


class Poisoned:
    """Samples with ids of their own, of which some have the wrong label, as the case says that is at hand."""

    def __init__(self):
        self.dice, self.case, self.ids, self.sent = random.Random(3), None, [], 0

    def rows(self):
        """(shard, record), endlessly."""
        for number in range(10**9):
            x = self.dice.gauss(0, 1)
            label = x + self.dice.gauss(0, 0.5) > 0
            if self.is_poison():
                label = not label
                self.ids.append(f"s{number}")
            self.sent += 1
            record = {"id": f"s{number}", "features": {"x": x}, "label": label}
            yield self.dice.randrange(availability.SHARDS), json.dumps(record).encode()

    def is_poison(self):
        if self.case is None or self.sent >= POISON:
            return False
        return self.sent < POISON * self.case.share if self.case.burst else self.dice.random() < self.case.share

    async def come(self, case):
        """Have the samples of a case sent."""
        self.case, self.sent = case, 0
        async with asyncio.timeout(60):
            while self.sent < POISON:
                await asyncio.sleep(0.05)


async def run(broker, folder):
    poisoned = Poisoned()
    under_load = availability.under_load(broker, folder, rate=50.0, static=True, rows=poisoned.rows())
    async with under_load as (workers, client):
        killing = asyncio.create_task(availability.kill(workers, len(CASES), ["SIGKILL"], 6, print))
        for number, case in enumerate(CASES):
            await poisoned.come(case)
            await unlearn(workers, number, list(poisoned.ids))
            print(f"{case}: {len(poisoned.ids)} samples taken out", flush=True)
        await killing
    return workers, client, poisoned.ids


async def unlearn(workers, number, ids):
    """Ask for one job, through whichever worker is there, and wait until every shard has installed what it made."""
    name = f"unlearn-{number}"
    record = {"control": "job", "id": f"ask-{number}", "job": name, "wait_s": 0}
    record["recipe"] = {"why": "unlearn", "without": {"ids": ids}}
    async with asyncio.timeout(120):
        while not await asyncio.to_thread(has_been_asked, workers, record):
            await asyncio.sleep(0.2)
        while not await asyncio.to_thread(is_installed, workers, name):
            await asyncio.sleep(0.2)


def has_been_asked(workers, record):
    for worker in workers:
        with contextlib.suppress(httpx.RequestError):
            status, _ = worker.post(f"/v1/{worker.task}/control", record)
            if status in (200, 202):
                return True
    return False


def is_installed(workers, name):
    """Whether every shard has; a worker may not know yet what became of a shard of the other's."""
    did = {}
    for worker in workers:
        for shard in (worker.get(f"/v1/{worker.task}/control/{name}") or {"shards": []})["shards"]:
            if shard["did"]:
                did[shard["partition"]] = shard["did"]
    assert all(one.startswith("installed") for one in did.values()), did
    return len(did) == availability.SHARDS


def never_saw(task, partition, messages, ids):
    """The champion of a fold that never saw some ids, nor any control record."""
    learner, learned = Learner(task, partition), 0
    for message in messages:
        record = json.loads(message.value)
        if "control" not in record and record["id"] not in ids:
            learner.pass_over(message.offset)
            for _ in learner.fold(message):
                pass
            learned += 1
    assert learner.champion.updates == learned
    return learner.champion


def test_what_is_installed_never_saw_the_poison(broker, tmp_path):
    workers, client, ids = asyncio.run(run(broker, tmp_path))
    assert client.failed == []
    task = Task(name=workers[0].task, kind="binary", partitions=availability.SHARDS)
    installed = 0
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.wait_ready()
        for partition in range(task.partitions):
            messages = asyncio.run(harness.read_all(broker, task.events, partition))
            records = [json.loads(message.value) for message in messages]
            for place, one in enumerate(records):
                if one.get("control") != "install":
                    continue
                outcome = next(o for o in records if o.get("control") == "outcome" and o["position"] == place)
                left_out = set(one["recipe"]["without"]["ids"])
                if outcome["artefact"] is not None:
                    assert outcome["artefact"] == never_saw(task, partition, messages[:place], left_out).digest
                    installed += 1
            clean = never_saw(task, partition, messages, set(ids))

            wait_until_served(workers, partition, clean)
    finally:
        for worker in workers:
            worker.stop("SIGKILL")
    assert installed >= len(CASES) * task.partitions


def wait_until_served(workers, partition, clean):
    def is_served():
        champions = [shard["arms"]["champion"] for shard in availability.seen(workers, partition)]
        return [(one["digest"], one["updates"]) for one in champions] == [(clean.digest, clean.updates)] * 2

    harness.wait_for(is_served, 60, lambda: f"{clean.digest} served: {availability.seen(workers, partition)}")
