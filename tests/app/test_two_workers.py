"""Two workers share the shards: each answers for every key, asks the owner for a fresh answer, and goes on when the other worker has ended."""

import asyncio
import json
import time
import uuid

import harness
import msgspec
import pytest
from scrape import Scrape

from headrace.app.caller import HOPS, HOPS_MAX
from headrace.learning.metrics.overall import Overall
from headrace.learning.task import Task
from headrace.tables.kafka.partitioner import partition_of

KEYS = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}


@pytest.fixture(scope="module")
def workers(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    name = f"two-{uuid.uuid4().hex[:8]}"
    toml = f'[tasks.{name}]\nkind = "binary"\npartitions = 2\n'
    # Snapshots are seldom, so that a replica is behind its owner for long enough to be seen to be.
    paced = "snapshot_seconds = 3.0\nsnapshot_records = 100000"
    started = [harness.Worker(folder / name, broker, toml, paced, instance=name) for name in ("a", "b")]
    with harness.sharing(started, name, owned):
        yield started


def shards(worker):
    return {shard["partition"]: shard for shard in (worker.get(f"/v1/{worker.task}") or {"shards": []})["shards"]}


def owned(worker):
    return [partition for partition, shard in shards(worker).items() if shard["state"] == "live"]


def ask(worker, key, query="", headers=None, **parts):
    question = {"features": {"x": 1.0}, "key": key} | parts
    return worker.post(f"/v1/{worker.task}/predict{query}", question, headers=headers)


def learn(worker, key, count=20):
    """Append samples for a key's shard, and return the position of a model that has folded them."""
    samples = [{"features": {"x": n - count / 2}, "label": n > count / 2, "key": key} for n in range(count)]
    status, appended = worker.post(f"/v1/{worker.task}/samples", samples)
    assert status == 202, appended
    return appended["positions"][-1]["offset"] + 1


def of_other(workers):
    """Return a worker, the other worker, and a key of the other worker's shard."""
    worker, other = workers
    (theirs,) = owned(other)
    return worker, other, KEYS[theirs]


def test_every_worker_lists_the_shards_it_owns_as_live_and_the_others_as_replicas(workers):
    for worker in workers:
        harness.wait_for(
            lambda: sorted(shard["state"] for shard in shards(worker).values()) == ["live", "replica"],  # noqa: B023
            30,
            "a live shard and a replica",
        )


def test_every_worker_answers_for_every_key(workers):
    for worker in workers:
        for key in KEYS.values():
            status, answer = ask(worker, key)
            assert (status, answer["arm"]) == (200, "champion")
            assert answer["staleness_s"] < 60


def test_a_replica_comes_to_the_owners_position_and_digest(workers):
    worker, other, key = of_other(workers)
    partition, position = partition_of(key, 2), learn(worker, key)
    harness.wait_for(lambda: shards(worker)[partition]["position"] == position, 30, "the replica has the samples")
    mine, theirs = shards(worker)[partition], shards(other)[partition]
    assert (mine["state"], theirs["state"]) == ("replica", "live")
    assert mine["digest"] == theirs["digest"]
    harness.wait_for(lambda: shards(worker)[partition]["staleness_s"] < 3, 30, "an idle log leaves a replica fresh")
    assert ask(worker, key)[1]["probabilities"] == ask(other, key)[1]["probabilities"]


def test_a_replica_answers_what_the_fold_up_to_its_position_answers(broker, workers):
    """While the owner learns on, each answer is that of an uninterrupted fold to the position that the answer names."""
    worker, _, key = of_other(workers)
    partition, answers = partition_of(key, 2), {}
    position = 0
    while len(answers) < 4:
        position = learn(worker, key, 7)
        time.sleep(0.2)
        _, answer = ask(worker, key)
        answers[answer["position"]] = answer["probabilities"], answer["prediction"]
        assert answer["position"] <= position
    task = Task(name=worker.task, kind="binary", partitions=2)
    messages = asyncio.run(harness.read_all(broker, task.events, partition))
    for at, (probabilities, predicted) in answers.items():
        learner, _ = harness.fold(task, partition, [message for message in messages if message.offset < at])
        expected = learner.champion.predict({"x": 1.0})
        wanted = expected.to_json() if expected else {"prediction": None, "probabilities": None}
        assert (wanted["probabilities"], wanted["prediction"]) == (probabilities, predicted)


def test_every_worker_gives_the_figures_over_all_shards(broker, workers):
    """They are those of both folds together, whoever owns a shard."""
    ends = {partition: learn(workers[0], key, 50 + 7 * partition) for partition, key in KEYS.items()}
    for worker in workers:
        harness.wait_for(
            lambda: {at: shard["position"] for at, shard in shards(worker).items()} == ends,  # noqa: B023
            30,
            "all samples in both shards",
        )
    task, both = Task(name=workers[0].task, kind="binary", partitions=2), Overall("binary")
    for partition in ends:
        learner, _ = harness.fold(task, partition, asyncio.run(harness.read_all(broker, task.events, partition)))
        both.add(learner.champion.scoreboard)
    for worker in workers:
        overall = worker.get(f"/v1/{worker.task}")["overall"]
        assert overall["shards"] == [0, 1]
        assert overall["served"]["scored"] == 0
        assert overall["arms"]["champion"] == msgspec.to_builtins(both.describe())
        each = [shard["arms"]["champion"]["metrics"]["accuracy"] for shard in shards(worker).values()]
        assert min(each) <= overall["arms"]["champion"]["metrics"]["accuracy"] <= max(each)


def test_each_worker_shows_prometheus_its_own_shard_and_the_age_of_its_replica(workers):
    for worker in workers:
        (mine,) = owned(worker)
        scrape = Scrape(worker)
        assert len(scrape.of("headrace_position_offset", task=worker.task, partition=str(mine))) == 1
        assert scrape.of("headrace_position_offset", task=worker.task, partition=str(1 - mine)) == []
        ages = {"live": mine, "replica": 1 - mine}
        for state, partition in ages.items():
            place = {"task": worker.task, "partition": str(partition), "state": state}
            assert 0 <= scrape.one("headrace_staleness_seconds", **place) < 60
            assert scrape.one("headrace_shards", task=worker.task, state=state) == 1


def test_a_fresh_answer_is_the_owners(workers):
    worker, _, key = of_other(workers)
    position = learn(worker, key)
    harness.wait_for(lambda: ask(worker, key, "?fresh=true")[1].get("position", 0) >= position, 10, "asked the owner")
    batch = [{"features": {"x": 1.0}, "key": key, "id": f"{number}"} for number, key in enumerate(KEYS.values())]
    status, answers = worker.post(f"/v1/{worker.task}/predict/batch?fresh=true", batch * 3)
    assert status == 200, answers
    assert [answer["id"] for answer in answers] == ["0", "1"] * 3


@pytest.mark.parametrize("asker", [0, 1])
def test_one_reads_what_one_has_written_whoever_is_asked(workers, asker):
    for key in KEYS.values():
        for _ in range(10):
            position = learn(workers[1 - asker], key, 3)
            status, answer = ask(workers[asker], key, min_position=position, wait_s=10)
            assert status == 200, answer
            assert answer["position"] >= position


def test_a_position_that_does_not_come_is_refused_when_the_time_is_up(workers):
    for worker in workers:
        for key in KEYS.values():
            status, problem = ask(worker, key, min_position=10**9, wait_s=0.1)
            assert (status, problem["code"]) == (409, "not_yet")


def test_a_position_without_a_key_is_refused_where_there_are_several_shards(workers):
    status, problem = workers[0].post(f"/v1/{workers[0].task}/predict", {"features": {}, "min_position": 3})
    assert (status, problem["code"]) == (409, "key")


@pytest.mark.parametrize("hops", [str(HOPS_MAX), "x", "99999999999"])
def test_a_question_that_has_come_too_far_is_passed_on_no_more(workers, hops):
    worker, other, key = of_other(workers)
    status, problem = ask(worker, key, "?fresh=true", {HOPS: hops})
    assert (status, problem["code"]) == (503, "no_owner")
    assert ask(other, key, "?fresh=true", {HOPS: hops})[0] == 200  # the owner need not pass it on


def test_fresh_is_true_or_false(workers):
    assert ask(workers[0], KEYS[0], "?fresh=perhaps")[0] == 422


def logged(broker, task):
    """Return the logged predictions of the questions in the event log, by id."""
    served = {}
    for partition in range(2):
        for message in asyncio.run(harness.read_all(broker, f"{task}.events", partition)):
            for record in map(json.loads, message.value.split(b"\n")):
                if "served" in record:
                    served.setdefault(record["id"], []).append(record["served"])
    return served


def test_a_question_that_any_worker_logs_meets_a_label_that_another_takes(broker, workers):
    task, answers, keys = workers[0].task, {}, {}
    before = [shard["questions"] for worker in workers for shard in shards(worker).values() if shard["state"] == "live"]
    for number in range(12):
        worker, name, key = workers[number % 2], f"logged{number}", KEYS[number // 2 % 2]
        where = {} if number % 3 == 0 else {"key": key}
        keys[name] = where
        question = {"id": name, "features": {"x": 1.0}, "log": True} | where
        if number % 4 == 3:
            status, (answer,) = worker.post(f"/v1/{task}/predict/batch", [question])
        else:
            query = "?fresh=true" if number % 4 == 1 else ""
            status, answer = worker.post(f"/v1/{task}/predict{query}", question)
        assert status == 200, answer
        answers[name] = {"arm": answer["arm"], "prediction": answer["prediction"], "position": answer["position"]}
    for number, name in enumerate(answers):
        label = {"id": name, "label": number % 2 == 0} | keys[name]
        assert workers[1 - number % 2].post(f"/v1/{task}/labels", label)[0] == 202

    def gained(count):
        now = [
            shard["questions"] for worker in workers for shard in shards(worker).values() if shard["state"] == "live"
        ]
        return sum(questions[count] for questions in now) - sum(questions[count] for questions in before)

    harness.wait_for(lambda: gained("answered") == len(answers), 30, lambda: f"all answered; {gained('answered')} are")
    assert [gained(count) for count in ("waiting", "early", "orphans", "duplicates")] == [0, 0, 0, 0]
    assert logged(broker, task) == {name: [answer] for name, answer in answers.items()}


def test_when_the_owner_is_killed_the_other_answers_on_and_then_takes_the_shard(workers):
    worker, other, key = of_other(workers)
    partition = partition_of(key, 2)
    position = learn(worker, key)
    harness.wait_for(lambda: shards(worker)[partition]["position"] >= position, 30, "the replica has the samples")
    other.stop("SIGKILL")
    answered, states = [], set()
    while "live" not in states:
        status, answer = ask(worker, key)
        assert status == 200, answer
        answered.append(answer["position"])
        states.add(shards(worker)[partition]["state"])
        assert len(answered) < 2_000
        time.sleep(0.05)
    assert "replica" in states
    assert answered == sorted(answered)  # no answer is of an earlier position than the one before
    status, problem = ask(worker, key, "?fresh=true")
    assert status == 200, problem
    other.start().wait_ready()
    for key in KEYS.values():
        assert ask(other, key)[0] == 200


def test_a_fresh_answer_without_an_owner_is_refused_and_a_plain_one_is_given(workers):
    worker, other = workers
    harness.wait_for(lambda: all(len(owned(one)) == 1 for one in workers), 60, "a shard each")
    (theirs,) = owned(other)
    other.stop("SIGKILL")
    status, problem = ask(worker, KEYS[theirs], "?fresh=true")
    assert status == 503
    assert problem["code"] in ("owner_unreachable", "no_owner")
    assert "fresh=true" in problem["remedy"] or "again" in problem["remedy"]
    assert ask(worker, KEYS[theirs])[0] == 200


def test_when_one_has_gone_for_good_the_other_owns_every_shard(workers):
    harness.wait_for(lambda: sorted(owned(workers[0])) == [0, 1], 60, "both shards on the worker that is left")
    for key in KEYS.values():
        status, answer = ask(workers[0], key, "?fresh=true")
        assert status == 200
        assert answer["staleness_s"] < 5
