"""Workers with different tasks in one group: each shard has one owner, while tasks come and go and workers are killed."""

import asyncio
import json
import threading
import time
import uuid

import harness
import pytest
from scrape import Scrape
from thorough import some

from headrace.app.settings import parse
from headrace.app.worker import group_of
from headrace.learning.task import Task
from headrace.tables.kafka.topics import connect

PARTITIONS = 4
SESSION_SECONDS = 10.0
"""How long a member that is dead or paused keeps its shards: `broker_session_timeout`."""


def toml_of(*tasks):
    return "".join(f'[tasks.{name}]\nkind = "binary"\npartitions = {PARTITIONS}\n' for name in tasks)


def test_the_group_does_not_follow_from_the_tasks(tmp_path):
    tasks = [{"a": {"kind": "binary"}}, {"a": {"kind": "binary"}, "b": {"kind": "binary"}}]
    groups = [group_of(parse({"tasks": each}, tmp_path / "headrace.toml")) for each in tasks]
    assert groups == ["headrace", "headrace"]
    named = parse({"worker": {"group": "blue"}, "tasks": tasks[0]}, tmp_path / "headrace.toml")
    assert group_of(named) == "blue"


def test_a_static_member_with_other_tasks_gets_their_shards_and_no_others(broker, tmp_path):
    """Kafka gives a restarted static member the assignment that it had."""
    run = uuid.uuid4().hex[:8]
    old, kept, new = (f"{name}-{run}" for name in ("old", "kept", "new"))
    group = f'group = "static-{run}"'
    first = harness.Worker(tmp_path / "one", broker, toml_of(old, kept), group, instance="one").start()
    try:
        first.wait_ready()
        first.stop("SIGKILL")
        again = harness.Worker(tmp_path / "one", broker, toml_of(kept, new), group, instance="one").start()
        try:
            again.wait_ready()
            for task in (kept, new):
                harness.wait_for(
                    lambda t=task: (
                        {s["state"] for s in (again.get(f"/v1/{t}") or {"shards": []})["shards"]} == {"live"}
                    ),
                    30,
                    f"every shard of {task} is live",
                )
        finally:
            again.stop("SIGKILL")
    finally:
        first.stop("SIGKILL")


def test_static_members_that_restart_fold_a_log_that_was_made_anew_meanwhile(broker, tmp_path):
    """None of the members is the leader, which would notice that there are other partitions to assign."""
    task, workers, owned = f"anew-{uuid.uuid4().hex[:8]}", [], ("live", "opening", "stopped", "waiting")

    def states():
        answers = [worker.get(f"/v1/{task}") or {"shards": []} for worker in workers]
        return sorted(shard["state"] for each in answers for shard in each["shards"] if shard["state"] in owned)

    def rebalances():
        return [Scrape(worker).one("headrace_rebalances_total") for worker in workers]

    async def delete(*topics):
        admin = await connect(broker)
        await admin.delete_topics([f"{task}.{topic}" for topic in topics])
        await admin.close()

    try:
        for name in ("one", "two"):
            worker = harness.Worker(tmp_path / name, broker, toml_of(task), f'group = "static-{task}"', instance=name)
            workers.append(worker.start())
        for worker in workers:
            worker.wait_ready()
        harness.wait_for(lambda: states() == ["live"] * PARTITIONS, 60, states)
        before = rebalances()
        asyncio.run(delete("events"))
        # The shards of what is gone are shared out anew: to nobody. Until they come back, every worker shows all of them as stopped.
        harness.wait_for(
            lambda: all(now > then for now, then in zip(rebalances(), before, strict=True)), 60, rebalances
        )
        harness.wait_for(lambda: states() == ["stopped"] * PARTITIONS * len(workers), 60, states)
        for worker in workers:
            worker.stop("SIGKILL")
        asyncio.run(delete("snapshots", "pending"))
        for worker in workers:
            worker.start()  # before they are missed
        harness.wait_for(lambda: states() == ["live"] * PARTITIONS, 60, states)
    finally:
        for worker in workers:
            worker.stop("SIGKILL")


class Owners:
    """Asks the workers twice a second, in a thread, which shards they own, and notes for how long two workers own the same shard."""

    def __init__(self, workers, tasks):
        self.workers, self.tasks = workers, tasks
        self.live, self.doubled = {}, {}
        self._since, self._stop = {}, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def look(self):
        live = {}
        for number, worker in enumerate(self.workers):
            for task in self.tasks:
                for shard in (worker.get(f"/v1/{task}") or {"shards": []})["shards"]:
                    if shard["state"] == "live":
                        live.setdefault((task, shard["partition"]), []).append(number)
        return live

    def _watch(self):
        while not self._stop.wait(0.5):
            self.live = self.look()
            now = time.monotonic()
            double = {shard for shard, owners in self.live.items() if len(owners) > 1}
            self._since = {shard: self._since.get(shard, now) for shard in double}
            for shard, since in self._since.items():
                self.doubled[shard] = max(self.doubled.get(shard, 0.0), now - since)


def owned(owners, task):
    """Return the partitions of a task that have exactly one owner, each with its owner."""
    return {at: held[0] for (name, at), held in owners.look().items() if name == task and len(held) == 1}


@pytest.fixture
def deployment(broker, tmp_path):
    run = uuid.uuid4().hex[:8]
    old, new = f"old-{run}", f"new-{run}"
    group = f'group = "rolling-{run}"'
    workers = [harness.Worker(tmp_path / name, broker, toml_of(old), group) for name in ("one", "two")]
    try:
        yield old, new, workers
    finally:
        for worker in workers:
            worker.stop("SIGKILL")


def change(worker, *tasks):
    """Change the tasks of a worker for its next start."""
    head, _, _ = worker.config.read_text().partition("[tasks.")
    worker.config.write_text(head + toml_of(*tasks))


def test_tasks_change_one_worker_after_the_other_under_load_and_kills(broker, deployment):
    old, new, workers = deployment
    for name in (old, new):
        harness.make_topics(broker, Task(name=name, kind="binary", partitions=PARTITIONS))
    count, rate, appended = some(6_000, of=2), some(150, of=2), {}

    def samples():
        return [
            (number % PARTITIONS, json.dumps({"features": {"x": number % 17 - 8.0}, "label": number % 3 == 0}).encode())
            for number in range(count)
        ]

    async def load():
        for name in await asyncio.gather(*(fill(name) for name in (old, new))):
            appended[name] = count

    async def fill(name):
        await harness.append(broker, f"{name}.events", samples(), rate=rate)
        return name

    def step(what, task, owner):
        harness.wait_for(
            lambda: set(owned(owners, task)) == set(range(PARTITIONS)) and owner(owned(owners, task).values()),
            90, lambda: f"{what}: {owners.live}\n{workers[0].log()[-1500:]}\n{workers[1].log()[-1500:]}",
        )  # fmt: skip

    loading = threading.Thread(target=asyncio.run, args=(load(),))
    with Owners(workers, [old, new]) as owners:
        for worker in workers:
            worker.start()
        loading.start()
        step("both own the old task", old, lambda by: set(by) == {0, 1})

        # One worker has both tasks, the other still the old one.
        workers[0].stop("SIGTERM")
        change(workers[0], old, new)
        workers[0].start()
        step("the new task has the only owner it can have", new, lambda by: set(by) == {0})
        step("the old task has an owner for each shard", old, bool)

        workers[1].stop("SIGKILL")
        change(workers[1], old, new)
        workers[1].start()
        step("the new task is shared", new, lambda by: set(by) == {0, 1})

        # The old task goes; the worker that still has it is killed once.
        workers[0].stop("SIGKILL")
        change(workers[0], new)
        workers[0].start()
        step("the old task has the only owner it can have", old, lambda by: set(by) == {1})
        step("the new task is shared again", new, bool)
        workers[1].stop("SIGKILL")
        workers[1].start()
        step("the old task has its owner back", old, lambda by: set(by) == {1})
        step("each shard of the new task has an owner", new, bool)
        loading.join()

        def folded(name):
            shards = {}
            for worker in workers:
                for shard in (worker.get(f"/v1/{name}") or {"shards": []})["shards"]:
                    if shard["state"] == "live":
                        shards[shard["partition"]] = shard
            return [shards[at]["updates"] if at in shards else -1 for at in range(PARTITIONS)]

        for name in (old, new):
            harness.wait_for(
                lambda: folded(name) == [count // PARTITIONS] * PARTITIONS,  # noqa: B023
                90,
                lambda: f"all folded; {name}: {folded(name)}",  # noqa: B023
            )
            check_digests(broker, workers, name)
    assert all(seconds <= SESSION_SECONDS for seconds in owners.doubled.values()), owners.doubled
    assert appended == {old: count, new: count}


def check_digests(broker, workers, name):
    """Check that the digest of each shard is that of an uninterrupted fold of its log."""
    served = {
        shard["partition"]: shard["digest"]
        for worker in workers
        for shard in (worker.get(f"/v1/{name}") or {"shards": []})["shards"]
        if shard["state"] == "live"
    }
    task = Task(name=name, kind="binary", partitions=PARTITIONS)
    for partition in range(PARTITIONS):
        learner, _ = harness.fold(task, partition, asyncio.run(harness.read_all(broker, task.events, partition)))
        assert served[partition] == harness.digest_of(learner)
