"""Every change that a running task can take is applied while workers are killed and a client asks.

No question stays unanswered, and after each change every worker tells and serves the model that the fold of the log has at its position.
"""

import asyncio
import contextlib
import itertools
import json
import tomllib

import availability
import harness
import sights

from headrace.app.settings import parse
from headrace.learning.task import define, fingerprint

CHANGES = [
    ("retrained", 'model = "pa"', ["apply", "--retrain"]),
    ("installed", 'model = "pa"', ["warm-start", "--from", "20", "--to", "120", "--passes", "3", "--detach"]),
    ("back", 'model = "pa"', ["rollback"]),
    ("logistic", "", ["apply", "--cold"]),
    ("schema", 'features = { x = { type = "float" }, plus = { type = "bool", optional = true } }', []),
    ("schema", "", []),
    ("wait", 'wait = "1h"\nunanswered = { assume = false }', []),
    ("order", 'order = "event_time"\nlateness = "1s"\nlate = "quarantine"', []),
    ("update", 'update = { batch = 16, every = "1s" }', []),
    ("policies", "feature_limit = 50\nversions = { every = 100, keep = 4 }", []),
    ("challenger", 'model = "alma"', []),
    ("promoted", 'model = "alma"', ["promote"]),
    ("cold", 'model = "hoeffding_tree"', ["apply", "--cold"]),
    ("rollback", 'model = "hoeffding_tree"', ["rollback"]),
]
"""The change's name, what stands in the settings from then on, and the command; `apply` alone where there is none.

Those with a job come first, while the log is short: a job begins again when its worker is gone, and when shards are handed out anew.
"""

JOB_SECONDS = 15
"""Enough for a job of some thousand records on a busy machine."""


def configure(worker, toml):
    head, _, _ = worker.config.read_text().partition("[tasks.")
    worker.config.write_text(head + toml)


async def change(workers, name, toml, words):
    """Put the settings in force through whichever worker is there; one that is killed meanwhile leaves it to the other.

    What must not happen twice is repeated with one id: that no answer came does not tell whether the record did.
    """
    for worker in workers:
        configure(worker, toml)
    told = []
    for number in range(40):
        verb, *more = words or ["apply"]
        if verb in {"promote", "rollback"}:
            more += ["--id", f"{name}-1"]
        worker = workers[number % 2]
        done = await asyncio.to_thread(worker.run, verb, worker.task, *more)
        if done.returncode == 0:
            return
        told.append(done.stdout + done.stderr)
        await asyncio.sleep(0.2)
    raise AssertionError(told[-4:])


async def is_in_force(workers, wanted):
    """Wait until every shard of every worker goes by a definition, and no job is under way."""

    def is_done():
        shards = [one for partition in range(availability.SHARDS) for one in availability.seen(workers, partition)]
        return len(shards) == 2 * availability.SHARDS and all(
            shard.get("definition", {}).get("fingerprint") == wanted and not shard.get("jobs") for shard in shards
        )

    await asyncio.to_thread(harness.wait_for, is_done, 60, lambda: f"in force: {availability.seen(workers, 0)}")


def jobs_of(workers):
    """The jobs of all shards, as their owners tell; None where a worker is away."""
    found = [availability.seen(workers, partition) for partition in range(availability.SHARDS)]
    if any(len(shards) < len(workers) for shards in found):
        return None
    return [job for shards in found for shard in shards for job in shard.get("jobs", [])]


def task_of(worker, toml):
    return parse(tomllib.loads(toml), worker.config).tasks[worker.task]


async def run(broker, folder):
    async with availability.under_load(broker, folder, rate=100.0, static=True) as (workers, client):
        base = f'[tasks.{workers[0].task}]\nkind = "binary"\npartitions = {availability.SHARDS}\n'
        done, seen = asyncio.Event(), list[sights.Sight]()
        async with asyncio.TaskGroup() as group:
            group.create_task(keep_killing(workers, done))
            for name, toml, words in CHANGES:
                await change(workers, name, base + toml + "\n", words)
                await asyncio.to_thread(harness.wait_for, lambda: jobs_of(workers) == [], 120, lambda: jobs_of(workers))
                print(f"{name}: applied", flush=True)
                ends = await asyncio.to_thread(sights.ends_of, task_of(workers[0], base), broker)
                seen += await asyncio.to_thread(sights.look, workers, availability.SHARDS, name, ends)
                print(f"{name}: seen on every worker", flush=True)
            done.set()
        configure(workers[0], base.replace("binary", "regression"))
        refused = await asyncio.to_thread(workers[0].run, "apply", workers[0].task)
        assert refused.returncode != 0
        assert "replay" in refused.stdout + refused.stderr
        for worker in workers:
            configure(worker, base + CHANGES[-1][1] + "\n")
        await is_in_force(workers, fingerprint(define(task_of(workers[0], base + CHANGES[-1][1] + "\n"))))
    return client, workers, base, seen


async def keep_killing(workers, done):
    """Kill one worker and then the other, until all changes were seen; between two kills there is time for a job."""
    for seed in itertools.count(8):
        await availability.kill(workers, 2, ["SIGKILL", "SIGTERM"], seed, print)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), JOB_SECONDS)
            return


def test_no_question_stays_unanswered_while_a_task_is_changed(broker, tmp_path):
    client, workers, toml, seen = asyncio.run(run(broker, tmp_path))
    assert client.failed == []
    assert len(client.answered) > 1000
    task = task_of(workers[0], toml)
    assert len(seen) == len(CHANGES) * len(workers) * task.partitions * (1 + len(sights.ROWS))
    for partition in range(task.partitions):
        assert asyncio.run(sights.find_wrong(task, partition, broker, seen)) == []
        assert caught(task, partition, broker, seen), "a sight of another position must not pass"
    for worker in workers:
        worker.start().wait_ready()
    try:
        for partition in range(task.partitions):
            messages = asyncio.run(harness.read_all(broker, task.events, partition))
            learner, _ = harness.fold(task, partition, messages)
            assert learner.state.position == len(messages)
            definitions = [json.loads(one.value) for one in messages if b'"control":"define"' in one.value]
            assert len(definitions) >= sum(not words or words[0] == "apply" for _, _, words in CHANGES)

            wait_until_equal(workers, partition, harness.digest_of(learner))
    finally:
        for worker in workers:
            worker.stop("SIGKILL")


def caught(task, partition, broker, seen):
    """Whether mutants of the sights are found wrong: the model of a hundred records ago after each change, and an answer turned round."""
    champions = {one.change: one for one in seen if one.partition == partition and one.row is None}
    mutants = [one._replace(position=max(1, one.position - 100)) for one in champions.values()]
    told = {one.row: one for one in seen if one.partition == partition and one.row is not None}
    mutants += [one._replace(told=one.told | {"prediction": not one.told["prediction"]}) for one in told.values()]
    return len(asyncio.run(sights.find_wrong(task, partition, broker, mutants))) == len(mutants)


def wait_until_equal(workers, partition, digest):
    def is_equal():
        return [shard.get("digest") for shard in availability.seen(workers, partition)] == [digest] * 2

    harness.wait_for(is_equal, 60, lambda: f"{digest}: {availability.seen(workers, partition)}")
