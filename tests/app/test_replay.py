"""`headrace replay`, `diff` and `explain` on a real log that a worker folds: they say what the worker says."""

import asyncio
import json
import random
import time

import pytest
from harness import Worker, append, free_port, has_kafka, make_topics, read_all, wait_for

from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest
from headrace.learning.task import Task, Versions
from headrace.tables.kafka.topics import _settings, connect

NAME = f"past{time.time_ns()}"
TOML = """
[tasks.{name}]
kind = "binary"
partitions = {partitions}
predictions = false
versions = {{ every = 100, keep = 3 }}
"""


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    """A worker with a task whose log has records and control records."""
    worker = Worker(tmp_path_factory.mktemp("past"), broker, TOML.format(name=NAME, partitions=1))
    worker.start().wait_ready()
    try:
        dice = random.Random(4)
        for number in range(3):
            asyncio.run(append(broker, f"{NAME}.events", [(0, row) for row in rows(dice, 150, number)]))
            control(worker, {"control": "checkpoint"})
            if number == 1:
                control(worker, {"control": "rollback", "to": "previous"})
                control(worker, {"control": "define", "task": {"kind": "binary", "model": "alma"}})
            if number == 2:
                control(worker, {"control": "promote"})
        yield worker
    finally:
        worker.stop()


def control(worker, record):
    status, answer = worker.post(f"/v1/{NAME}/control", record | {"wait_s": 30}, timeout=40)
    assert status == 200, answer
    assert not answer["shards"][0]["did"].startswith("refused"), answer


def rows(dice, count, batch):
    for number in range(count):
        x = {"x": dice.gauss(0, 1), "shop": dice.choice("ab")}
        if number % 3:
            yield json.dumps({"id": f"s{batch}-{number}", "features": x, "label": x["x"] > 0}).encode()
        else:
            asked = {"id": f"q{batch}-{number}", "features": x}
            told = {"id": f"q{batch}-{number}", "label": x["x"] > 0}
            yield json.dumps(asked).encode() + b"\n" + json.dumps(told).encode()


def shard_of(worker):
    (shard,) = worker.get(f"/v1/{NAME}")["shards"]
    return shard


def as_json(called):
    assert called.status == 0, called.err
    return json.loads(called.out)


def test_the_end_of_the_log_is_rebuilt_as_the_worker_has_it(headrace, worker):
    wait_for(lambda: shard_of(worker)["position"] == shard_of(worker)["end"], 30, "all folded")
    live = shard_of(worker)
    (shard,) = as_json(headrace("replay", NAME, "--json", "--config", worker.config))["shards"]
    assert (shard["position"], shard["updates"], shard["digest"]) == (live["position"], live["updates"], live["digest"])
    for name, arm in live["arms"].items():
        assert shard["arms"][name]["digest"] == arm["digest"]
        assert shard["arms"][name]["metrics"] == arm["metrics"]
    assert live["arms"]["champion"]["model"] == "alma"
    shown = headrace("replay", NAME, "--config", worker.config).out
    assert live["digest"] in shown
    assert "rows/s" in shown


def test_twenty_random_positions_are_the_plain_fold_there(headrace, worker, broker):
    wait_for(lambda: shard_of(worker)["position"] == shard_of(worker)["end"], 30, "all folded")
    messages = asyncio.run(read_all(broker, f"{NAME}.events"))
    assert {b"checkpoint", b"rollback", b"define", b"promote"} <= {
        json.loads(message.value)["control"].encode() for message in messages if b'"control"' in message.value
    }
    task = Task(name=NAME, kind="binary", predictions=False, versions=Versions(every=100, keep=3))
    positions = sorted(random.Random(8).sample(range(len(messages) + 1), 20))
    learner, folded = Learner(task, 0), iter(messages)
    for position in positions:
        while learner.state.position < position:
            list(learner.fold(next(folded)))
        called = headrace("replay", NAME, "--to", position, "--json", "--config", worker.config)
        (shard,) = as_json(called)["shards"]
        assert (shard["position"], shard["digest"]) == (position, digest(learner.state))


def test_a_time_is_the_last_message_up_to_it(headrace, worker, broker):
    messages = asyncio.run(read_all(broker, f"{NAME}.events"))
    chosen = messages[170].timestamp
    last = max(message.offset for message in messages if message.timestamp <= chosen)
    called = headrace("replay", NAME, "--to", f"{chosen / 1000:.3f}", "--json", "--config", worker.config)
    assert as_json(called)["shards"][0]["position"] == last + 1


def test_a_position_that_the_log_has_not_is_refused_with_its_end(headrace, worker):
    called = headrace("replay", NAME, "--to", 100_000, "--config", worker.config)
    assert called.status == 1
    assert "Name one up to" in called.err


def test_two_versions_are_compared_by_metrics_weights_and_predictions(headrace, worker, tmp_path):
    versions = worker.get(f"/v1/{NAME}/versions")["versions"]
    first, last = versions[0], versions[-1]
    file = tmp_path / "rows.ndjson"
    file.write_text(
        '{"id": "r1", "features": {"x": 2.0, "shop": "a"}}\n{"id": "r2", "features": {"x": -2.0, "shop": "b"}}\n'
    )
    called = headrace("diff", NAME, first["id"], last["id"], "--rows", file, "--json", "--config", worker.config)
    found = as_json(called)
    for side, version in (("a", first), ("b", last)):
        assert found[side]["digest"] == version["digest"]
        assert found[side]["metrics"] == version["metrics"]
    assert {"x", "shop=a"} <= {name for name, _, _ in found["weights"]}
    assert [row["features"]["x"] for row in found["rows"]] == [2.0, -2.0]
    assert [row["b"] for row in found["rows"]] == [True, False]
    shown = headrace("diff", NAME, first["id"], last["id"], "--config", worker.config).out
    assert "weights" in shown
    assert "predictions" in shown


def test_a_position_differs_in_nothing_from_itself(headrace, worker):
    found = as_json(headrace("diff", NAME, 200, 200, "--json", "--config", worker.config))
    assert (found["weights"], found["changed"]) == ([], 0)
    assert found["rows"]


def test_a_version_that_was_never_saved_is_refused(headrace, worker):
    called = headrace("diff", NAME, "v7-0-20", 200, "--config", worker.config)
    assert called.status == 1
    assert "has saved no version 'v7-0-20'" in called.err
    assert headrace("diff", NAME, "soon", 200, "--config", worker.config).status == 1


def test_the_life_of_a_question_that_was_served(headrace, worker):
    features = {"x": 1.5, "shop": "a"}
    body = {"id": "served-1", "features": features, "log": True}
    status, answer = worker.post(f"/v1/{NAME}/predict", body)
    assert status == 200, answer
    assert worker.post(f"/v1/{NAME}/labels", {"id": "served-1", "label": False})[0] == 202
    life = as_json(headrace("explain", NAME, "served-1", "--json", "--config", worker.config))
    assert (life["kind"], life["features"], life["state"]) == ("question", features, "ended")
    assert life["served"]["prediction"] == answer["prediction"]
    assert life["served"]["rebuilt"]["probabilities"] == answer["probabilities"]
    assert life["served"]["rebuilt"]["version"] == answer["version"]
    (scored,) = [
        one for one in life["scored"] if one["arm"] == "champion"
    ]  # the last good version may answer beside it
    assert scored["why"]["score"] == pytest.approx(
        scored["why"]["intercept"] + sum(part["weight"] * part["value"] for part in scored["why"]["contributions"])
    )
    assert (life["answer"]["how"], life["answer"]["label"]) == ("label", False)
    assert life["learned"]["after"]["probabilities"]["false"] >= life["learned"]["before"]["probabilities"]["false"]
    shown = headrace("explain", NAME, "served-1", "--config", worker.config).out
    assert "served" in shown
    assert "label false (label)" in shown


def test_an_id_that_is_not_in_the_log_is_an_error(headrace, worker):
    called = headrace("explain", NAME, "nobody", "--config", worker.config)
    assert called.status == 1
    assert "no record with the id 'nobody'" in called.err


FILLED = f"fill{time.time_ns()}"


def test_a_task_is_filled_with_the_records_of_another(headrace, broker, tmp_path):
    old, new = f"{FILLED}-old", f"{FILLED}-new"
    text = f'[broker]\nurl = "kafka://{broker}"\n'
    for name, partitions in ((old, 2), (new, 3)):
        text += TOML.format(name=name, partitions=partitions)
    config = tmp_path / "headrace.toml"
    config.write_text(text)
    tasks = {name: Task(name=name, kind="binary", partitions=count) for name, count in ((old, 2), (new, 3))}
    make_topics(broker, tasks[old])
    dice = random.Random(5)
    asyncio.run(append(broker, f"{old}.events", [(n % 2, row) for n, row in enumerate(rows(dice, 90, 0))]))
    asyncio.run(append(broker, f"{old}.events", [(0, b'{"control": "checkpoint"}')]))

    def fill(*more):
        return as_json(headrace("replay", old, "--into", new, "--json", "--config", config, *more))

    expected = fill("--dry-run")
    assert (expected["appended"], expected["controls"]) == (120, 1)
    if has_kafka():
        assert not asyncio.run(exists(broker, f"{new}.events"))
    assert fill() == expected
    again = fill()
    assert (again["appended"], again["known"]) == (0, 120)
    asyncio.run(append(broker, f"{old}.events", [(1, row) for row in rows(dice, 3, 1)]))
    assert fill()["appended"] == 4

    times = {}
    for partition in range(2):
        for message in asyncio.run(read_all(broker, f"{old}.events", partition)):
            times[f"{old}.events/{partition}/{message.offset}"] = message.timestamp
    found = []
    for partition in range(3):
        for message in asyncio.run(read_all(broker, f"{new}.events", partition)):
            for line in message.value.split(b"\n"):
                source = json.loads(line)["source"]
                found.append(source)
                assert message.timestamp == times[source.rpartition("/")[0]]
    assert len(found) == len(set(found)) == 124
    if has_kafka():
        settings = asyncio.run(settings_of(broker, f"{new}.events"))
        assert settings["message.timestamp.type"] == "LogAppendTime"
        assert settings["retention.ms"] == "-1"
    assert as_json(headrace("replay", new, "--json", "--config", config))["shards"][2]["rows"] > 0


async def exists(broker, topic):
    admin = await connect(broker)
    try:
        return topic in await admin.list_topics()
    finally:
        await admin.close()


async def settings_of(broker, topic):
    admin = await connect(broker)
    try:
        return await _settings(admin, topic)
    finally:
        await admin.close()


def test_a_task_is_not_filled_with_itself(headrace, worker):
    called = headrace("replay", NAME, "--into", NAME, "--config", worker.config)
    assert called.status == 1
    assert "itself" in called.err


def test_a_task_without_a_log_and_a_broker_that_is_away_are_named(headrace, broker, tmp_path):
    config = tmp_path / "headrace.toml"
    config.write_text(
        f'[broker]\nurl = "kafka://{broker}"\n[tasks.nolog]\nkind = "binary"\n[tasks.other]\nkind = "binary"\n'
    )
    for words in (
        ["replay", "nolog"],
        ["diff", "nolog", 0, 0],
        ["explain", "nolog", "a"],
        ["replay", "nolog", "--into", "other"],
    ):
        called = headrace(*words, "--config", config)
        assert called.status == 1
        assert "there is no topic nolog.events yet" in called.err
    config.write_text(f'[broker]\nurl = "kafka://127.0.0.1:{free_port()}"\n[tasks.nolog]\nkind = "binary"\n')
    called = headrace("replay", "nolog", "--config", config)
    assert called.status == 1
    assert "cannot be reached" in called.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["replay", "wide", "--to", 3], "say which, with --partition"),
        (["replay", "wide", "--partition", 2], "2 partitions, from 0 on"),
        (["replay", "wide", "--to", "soon", "--partition", 0], "is no time"),
        (["replay", "wide", "--dry-run"], "goes with --into"),
        (["replay", "wide", "--into", "wide", "--to", 3], "takes the whole log"),
        (["diff", "wide", 1, 2], "say which, with --partition"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(headrace, broker, tmp_path, words, told):
    config = tmp_path / "headrace.toml"
    config.write_text(f'[broker]\nurl = "kafka://{broker}"\n[tasks.wide]\nkind = "binary"\npartitions = 2\n')
    make_topics(broker, Task(name="wide", kind="binary", partitions=2))
    called = headrace(*words, "--config", config)
    assert called.status == 2
    assert told in called.err
