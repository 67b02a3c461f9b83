"""Records of aborted transactions are neither folded nor mapped, and an open transaction makes nothing look stopped."""

import asyncio
import json
import uuid

import harness
import pytest

from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.log import KafkaEventLog
from headrace.tables.kafka.topics import Topic, prepare

COMMITTED, EACH = 20, 3
"""Every committed sample stands among aborted ones: one transaction of each three is committed."""

pytestmark = pytest.mark.skipif(not harness.has_kafka(), reason="the embedded broker has no transactions")


def sample(number):
    return json.dumps({"features": {"x": number}, "label": number % 2 == 0}).encode()


async def write(broker, topic, count=COMMITTED):
    """Append `count` committed rows among twice as many aborted ones, the last of which is aborted."""
    async with Brokers.of(broker).producer(transactional_id=uuid.uuid4().hex) as producer:
        for number in range(count * EACH):
            await producer.begin_transaction()
            await producer.send_and_wait(topic, sample(number), partition=0)
            await (producer.commit_transaction() if number % EACH == 0 else producer.abort_transaction())


def shard_of(worker, task):
    return (worker.get(f"/v1/{task}") or {"shards": [{}]})["shards"][0]


@pytest.fixture
def task():
    return Task(name=f"tx-{uuid.uuid4().hex[:8]}", kind="binary")


def test_aborted_samples_are_not_learned_and_the_position_moves_past_them(broker, task, tmp_path):
    harness.make_topics(broker, task)
    toml = f'[tasks.{task.name}]\nkind = "binary"\n'
    worker = harness.Worker(tmp_path, broker, toml, instance="one").start()
    end = 1 + COMMITTED * EACH * 2  # a definition; each transaction has a record and a marker

    def folded():
        return [shard_of(worker, task.name).get(part) for part in ("position", "end", "state", "updates")]

    try:
        worker.wait_ready()
        asyncio.run(write(broker, task.events))
        harness.wait_for(lambda: folded() == [end, end, "live", COMMITTED], 30, lambda: f"folded; {folded()}")
        served = shard_of(worker, task.name)["digest"]
        messages = asyncio.run(harness.read_all(broker, task.events))
        assert len(messages) == 1 + COMMITTED
        learner, _ = harness.fold(task, 0, messages)
        learner.pass_over(end)
        assert harness.digest_of(learner) == served
        worker.stop("SIGKILL")
        other = harness.Worker(tmp_path / "other", broker, toml, instance="one")  # which has to read it all again
        other.start().wait_ready()
        try:
            assert shard_of(other, task.name)["digest"] == served
        finally:
            other.stop("SIGKILL")
    finally:
        worker.stop("SIGKILL")


def test_an_open_transaction_ends_the_log_and_its_shard_stays_live(broker, task, tmp_path):
    harness.make_topics(broker, task)
    worker = harness.Worker(tmp_path, broker, f'[tasks.{task.name}]\nkind = "binary"\n').start()

    def folded():
        return [shard_of(worker, task.name).get(part) for part in ("position", "end", "state", "updates")]

    async def hold_open():
        log = KafkaEventLog(task.events, broker)
        async with Brokers.of(broker).producer(transactional_id=uuid.uuid4().hex) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(task.events, sample(1), partition=0)
            await harness.append(broker, task.events, [(0, sample(2))])
            assert await log.ends([0]) == {0: 2}  # a definition and a sample
            assert [message.offset async for message in log.read(0, 1, 2)] == [1]
            # A restart meets the open transaction too.
            await asyncio.to_thread(worker.stop, "SIGTERM")
            await asyncio.to_thread(lambda: worker.start().wait_ready())
            harness.wait_for(lambda: folded() == [2, 2, "live", 1], 20, lambda: f"held; {folded()}")
            await producer.commit_transaction()
        await log.stop()

    try:
        worker.wait_ready()
        asyncio.run(harness.append(broker, task.events, [(0, sample(0))]))
        harness.wait_for(lambda: folded() == [2, 2, "live", 1], 20, lambda: f"folded; {folded()}")
        asyncio.run(hold_open())
        harness.wait_for(lambda: folded() == [5, 5, "live", 3], 20, lambda: f"folded; {folded()}")
    finally:
        worker.stop("SIGKILL")


def test_aborted_messages_of_a_source_are_not_mapped(broker, task, tmp_path):
    topic = f"rows-{task.name}"
    asyncio.run(prepare(broker, [Topic(topic, 1, {})]))
    source = f'[[tasks.{task.name}.sources]]\ntopic = "{topic}"\nlabel = "label"\nfeatures = "features"\n'
    worker = harness.Worker(tmp_path, broker, f'[tasks.{task.name}]\nkind = "binary"\n{source}').start()
    try:
        worker.wait_ready()
        asyncio.run(write(broker, topic, 5))

        def mapped():
            (part,) = worker.get(f"/v1/{task.name}")["sources"]["partitions"]
            return part["position"], part["state"]

        harness.wait_for(lambda: mapped() == (5 * EACH * 2, "live"), 30, lambda: f"mapped; {mapped()}")
        found = asyncio.run(harness.read_records(broker, task.events))
        assert [json.loads(message.value)["features"]["x"] for message in found] == [0, 3, 6, 9, 12]
    finally:
        worker.stop("SIGKILL")
