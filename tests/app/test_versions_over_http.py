"""An operator changes a running task, goes back and takes poison out, over HTTP and from the command line, on real workers."""

import asyncio
import json
import random
import uuid

import harness
import pytest
from called import command

from headrace import Client
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task


def settings_of(name, model="logistic"):
    return (
        f'[tasks.{name}]\nkind = "binary"\npartitions = 2\nmodel = "{model}"\nversions = {{ every = 400, keep = 5 }}\n'
    )


def rows(count, seed=1, flipped=()):
    dice = random.Random(seed)
    for number in range(count):
        x = dice.gauss(0, 1)
        yield {"id": f"{seed}-{number}", "features": {"x": x, "bias": 1.0}, "label": (x > 0) != (number in flipped)}


@pytest.fixture
def pair(broker, tmp_path):
    """Two workers that share the two shards of a task."""
    name = f"go-{uuid.uuid4().hex[:8]}"
    started = [harness.Worker(tmp_path / one, broker, settings_of(name), instance=one) for one in ("a", "b")]
    with harness.sharing(started, name, owned):
        yield started


def shards(worker):
    return {shard["partition"]: shard for shard in (worker.get(f"/v1/{worker.task}") or {"shards": []})["shards"]}


def owned(worker):
    return [partition for partition, shard in shards(worker).items() if shard["state"] in ("live", "waiting")]


def learn(client, task, samples):
    samples = list(samples)
    for start in range(0, len(samples), 500):
        client.samples(task, samples[start : start + 500])


def settle(workers):
    """Wait until every worker has every shard at the end of its log, with one digest each."""

    def is_settled():
        seen = [shards(worker) for worker in workers]
        return all(
            {one[partition].get("position") for one in seen} == {seen[0][partition].get("end")}
            and len({one[partition].get("digest") for one in seen}) == 1
            for partition in (0, 1)
            if all(partition in one for one in seen)
        ) and all(len(one) == 2 for one in seen)

    harness.wait_for(is_settled, 30, lambda: f"settled: {[shards(worker) for worker in workers]}")
    return shards(workers[0])


def test_a_rollback_is_served_by_every_worker(pair, broker):
    name, (first, second) = pair[0].task, pair
    with Client(first.address) as client:
        learn(client, name, rows(600))
        settle(pair)
        done = client.control(name, "checkpoint", pin=True)
        assert all(one.did.startswith("saved v") for one in done.shards)
        good = {p: shard["arms"]["champion"]["digest"] for p, shard in settle(pair).items()}
        learn(client, name, rows(600, seed=2, flipped=range(600)))
        settle(pair)
        assert "rolled back" in command(second, "rollback")
        after = settle(pair)
        assert {p: shard["arms"]["champion"]["digest"] for p, shard in after.items()} == good
        answers = [
            worker.post(f"/v1/{name}/predict", {"features": {"x": 2.0, "bias": 1.0}, "key": key})
            for worker in pair
            for key in "abcdef"
        ]
        versions = {shard["arms"]["champion"]["version"] for shard in after.values()}
        assert {answer["version"] for _, answer in answers} <= versions
        assert all(answer["prediction"] is True for _, answer in answers)
        listed = client.versions(name)
        assert {one.id for one in listed if one.current} == versions
        assert {one.reason for one in listed} >= {"checkpoint", "rollback"}
        once, again = (client.control(name, "checkpoint", id="c-7", wait_s=30) for _ in range(2))
        assert [one.repeated for one in once.shards] == [False, False]
        assert [(one.repeated, one.did) for one in again.shards] == [(True, one.did) for one in once.shards]


def test_a_model_is_changed_retrained_and_cleaned_without_a_stop(pair, broker, tmp_path):
    name, (first, second) = pair[0].task, pair
    with Client(first.address) as client:
        learn(client, name, rows(1_000, flipped=range(0, 1_000, 10)))
        settle(pair)
        poison = tmp_path / "poison"
        poison.write_text("\n".join(f"1-{number}" for number in range(0, 1_000, 10)))
        told = command(first, "unlearn", "--ids", str(poison))
        assert told.count("installed v") == 2, told
        clean = settle(pair)
        for partition, shard in clean.items():
            messages = asyncio.run(harness.read_all(broker, f"{name}.events", partition))
            assert shard["arms"]["champion"]["digest"] == never_saw(name, messages, poison.read_text().split())
        first.config.write_text(first.config.read_text().replace('"logistic"', '"alma"'))
        assert "challenger" in command(first, "apply", "--dry-run")
        command(first, "apply")
        settle(pair)
        learn(client, name, rows(200, seed=3))
        both = settle(pair)
        arms = [arm for shard in both.values() for arm in shard["arms"].values() if arm["role"] != "baseline"]
        assert {arm["model"] for arm in arms} == {arm["made_of"] for arm in arms} == {"logistic", "alma"}
        assert command(first, "promote").count("promoted next") == 2
        told = command(first, "retrain", "--passes", "2")
        assert told.count("installed v") == 2, told
        assert {shard["arms"]["champion"]["model"] for shard in settle(pair).values()} == {"alma"}
        command(first, "pause")
        learn(client, name, rows(100, seed=4))
        harness.wait_for(lambda: {s["state"] for w in pair for s in shards(w).values()} >= {"waiting"}, 20, "waiting")
        waiting = [shard for worker in pair for shard in shards(worker).values() if shard["state"] == "waiting"]
        assert waiting[0]["waits"]["for"] == "resume"
        assert waiting[0]["end"] > waiting[0]["position"]
        assert client.predict(name, {"x": 1.0}).version is not None
        command(second, "resume")
        settle(pair)


def never_saw(name, messages, poison):
    """The digest of the model of a fold that never saw some ids."""
    learner = Learner(Task(name=name, kind="binary", partitions=2), 0)
    for message in messages:
        record = json.loads(message.value)
        if "control" not in record and record["id"] not in poison:
            learner.pass_over(message.offset)
            for _ in learner.fold(message):
                pass
    return learner.champion.digest


def test_what_every_shard_would_stop_at_or_refuse_is_refused_at_the_door(pair):
    name, evil = pair[0].task, {"use": "os:system", "command": "true"}
    definition = {"kind": "binary"}
    for record in (
        {"control": "define", "task": definition | {"model": evil}},
        {"control": "define", "task": definition, "first": True},
        {"control": "job", "job": "j", "recipe": {}, "model": evil},
        {"control": "install", "artefact": "0" * 64, "model": evil},
        {"control": "install", "artefact": "0" * 64, "updates": 2**60},
        {"control": "job", "job": "j", "recipe": {"why": "nothing"}},
    ):
        status, problem = pair[0].post(f"/v1/{name}/control", record)
        assert (status, problem["code"]) == (422, "control"), (record, problem)
    status, done = pair[0].post(f"/v1/{name}/control", {"control": "install", "artefact": "0" * 64})
    assert status == 200
    assert all(shard["did"].startswith("refused: the artefact") for shard in done["shards"])
    assert {shard["state"] for worker in pair for shard in shards(worker).values()} <= {"live", "replica"}
