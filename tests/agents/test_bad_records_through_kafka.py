"""Hostile records through a real log: quarantined whole, with where they are from; the models are those of the good records."""

import asyncio
import importlib.util
import uuid
from pathlib import Path

import harness
import pytest
from thorough import only_thorough

from headrace.learning.snapshot import digest
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers

PLACE = Path(__file__).parent.parent / "learning" / "test_hostile_records.py"
SPEC = importlib.util.spec_from_file_location("hostile_records", PLACE)
hostile_records = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(hostile_records)

GOOD = b'{"features": {"x": %d.5, "country": "PT"}, "label": %s}'


def good(number):
    return GOOD % (number % 10, b"true" if number % 10 > 4 else b"false")


@pytest.fixture
def worker(broker, tmp_path):
    task = Task(name=f"bad-{uuid.uuid4().hex[:8]}", kind="binary")
    started = harness.Worker(tmp_path, broker, f'[tasks.{task.name}]\nkind = "binary"\n').start()
    started.task = task
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


def test_hundreds_of_hostile_records_reach_the_quarantine_and_no_model(broker, worker):
    task = worker.task
    bad = [value for value in hostile_records.hostile("binary") if value is None or len(value) < 900_000]
    assert len(bad) >= 200
    rows = []
    for number, value in enumerate(bad):
        rows += [(0, good(number)), (0, value)]
    asyncio.run(harness.append(broker, task.events, rows))
    harness.wait_for(lambda: worker.get(f"/v1/{task.name}")["shards"][0]["position"] == len(rows) + 1, 60, "all folded")

    messages = asyncio.run(harness.read_all(broker, task.events))
    learner, effects = harness.fold(task, 0, messages)
    told = worker.get(f"/v1/{task.name}")["shards"][0]
    assert told["state"] == "live"
    assert told["digest"] == digest(learner.state)
    assert told["updates"] == learner.state.updates >= len(bad)

    expected = {effect.id: effect for effect in effects if type(effect).__name__ == "Quarantined"}
    assert len(expected) >= len(bad)

    def quarantined():
        found = asyncio.run(harness.read_all(broker, f"{task.name}.quarantine"))
        return {dict(message.headers)["id"].decode(): message for message in found}

    harness.wait_for(lambda: set(quarantined()) == set(expected), 30, "all quarantined")
    for name, message in quarantined().items():
        headers, effect = {key: value.decode() for key, value in message.headers}, expected[name]
        assert message.value == effect.value
        assert headers["topic"] == task.events
        assert (headers["partition"], headers["offset"], headers["row"]) == ("0", str(effect.offset), str(effect.row))
        assert headers["code"] == effect.code
        assert headers["reason"]


def test_a_value_as_big_as_the_broker_takes_is_quarantined_whole(broker, worker):
    task, big = worker.task, b'{"features": {"x": "' + b"y" * 1_000_000 + b'"}, "label": true}'
    asyncio.run(harness.append(broker, task.events, [(0, big), (0, good(1))]))
    harness.wait_for(lambda: worker.get(f"/v1/{task.name}")["shards"][0]["position"] == 3, 30, "both folded")
    (message,) = asyncio.run(harness.read_all(broker, f"{task.name}.quarantine"))
    assert message.value == big


async def append_compressed(broker, topic, codec, value):
    async with Brokers.of(broker).producer(compression_type=codec) as producer:
        await producer.send_and_wait(topic, value, partition=0)


def test_records_are_read_however_their_producer_compresses_them(broker, worker):
    codecs = ["gzip", "snappy", "lz4", "zstd"] if harness.has_kafka() else ["gzip"]
    for codec in codecs:
        asyncio.run(append_compressed(broker, worker.task.events, codec, good(1)))
    harness.wait_for(
        lambda: worker.get(f"/v1/{worker.task.name}")["shards"][0]["updates"] == len(codecs), 30, "all learned"
    )


MODEL = '''
"""A model with a defect."""
from river import linear_model


class Fragile(linear_model.LogisticRegression):
    def learn_one(self, x, y, w=1.0):
        if x.get("poison"):
            raise (RuntimeError, ConnectionError)[x["poison"] - 1]("a defect of the model")
        super().learn_one(x, y, w)


def make():
    return Fragile()
'''


@pytest.mark.parametrize("poison", [pytest.param(1, marks=only_thorough), 2])  # tests/agents/test_ground.py has more
def test_a_model_that_raises_stops_its_shard_alone_whatever_it_raises(broker, tmp_path, poison):
    run = uuid.uuid4().hex[:8]
    (tmp_path / f"fragile_{run}.py").write_text(MODEL)
    toml = (
        f'[tasks.fragile-{run}]\nkind = "binary"\nmodel = "fragile_{run}:make"\npartitions = 2\n'
        f'[tasks.sound-{run}]\nkind = "binary"\n'
    )
    worker = harness.Worker(tmp_path, broker, toml).start()
    fragile, sound = f"fragile-{run}", f"sound-{run}"
    row = b'{"features": {"x": 1.0}, "label": true}'
    poisoned = row + b'\n{"features": {"x": 1.0, "poison": %d}, "label": true}' % poison

    def shards(task):
        return {shard["partition"]: shard for shard in worker.get(f"/v1/{task}")["shards"]}

    try:
        worker.wait_ready()
        asyncio.run(
            harness.append(
                broker, f"{fragile}.events", [(0, row), (0, row), (0, poisoned), (0, row), (1, row), (1, row)]
            )
        )
        asyncio.run(harness.append(broker, f"{sound}.events", [(0, row)] * 3))
        for _ in range(2):
            harness.wait_for(lambda: shards(fragile)[0]["state"] == "stopped", 30, "the shard stopped")
            harness.wait_for(lambda: shards(fragile)[1]["position"] == 3, 30, "the other shard goes on")
            harness.wait_for(lambda: shards(sound)[0]["position"] == 4, 30, "the other task goes on")
            assert shards(fragile)[0]["position"] == 3
            assert "a defect of the model" in shards(fragile)[0]["error"]
            status, answer = worker.post(f"/v1/{fragile}/predict", {"features": {"x": 1.0}})
            assert (status, answer["prediction"]) == (200, True)
            worker.stop("SIGTERM")
            worker.start().wait_ready()
        signals = asyncio.run(harness.read_all(broker, f"{fragile}.signals"))
        assert any(b'"shard_stopped"' in message.value for message in signals)
    finally:
        worker.stop("SIGKILL")
