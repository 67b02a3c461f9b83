"""Requests over Kafka: each is answered at least once, whoever dies, and none blocks those behind it."""

import asyncio
import json
import uuid

import harness
import pytest
from aiokafka.admin import NewPartitions

from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import connect


@pytest.fixture
def worker(broker, tmp_path):
    name = f"asked-{uuid.uuid4().hex[:8]}"
    started = harness.Worker(tmp_path, broker, f'[tasks.{name}]\nkind = "binary"\n').start()
    started.task = name
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


def answered(broker, task):
    found = asyncio.run(harness.read_all(broker, f"{task}.predictions"))
    return [json.loads(line) for message in found for line in message.value.split(b"\n")]


async def request(broker, task, rows, key=None):
    async with producing(broker) as producer:
        for row in rows:
            await producer.send_and_wait(f"{task}.requests", row, key=key, partition=0)


def test_every_request_is_answered_though_the_worker_is_killed_amid_them(broker, worker):
    asked = [f"r{number}" for number in range(600)]
    rows = [json.dumps({"id": name, "features": {"x": 1.0}}).encode() for name in asked]

    async def ask_and_kill():
        asking = asyncio.create_task(request(broker, worker.task, rows))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(worker.stop, "SIGKILL")
        await asking

    asyncio.run(ask_and_kill())
    before = {answer["id"] for answer in answered(broker, worker.task)}
    assert len(before) < len(asked), "the kill came too late to prove anything"
    worker.start().wait_ready()
    harness.wait_for(
        lambda: {answer["id"] for answer in answered(broker, worker.task)} == set(asked), 60, "every request answered"
    )


def test_a_request_whose_answer_no_topic_takes_is_refused_and_those_behind_it_are_answered(broker, worker):
    rows = b"\n".join([b'{"features":{}}'] * 900)
    asyncio.run(request(broker, worker.task, [rows], key=b"k" * 930_000))
    asyncio.run(request(broker, worker.task, [b'{"id": "behind", "features": {}}']))
    harness.wait_for(
        lambda: any(answer["id"] == "behind" for answer in answered(broker, worker.task)), 30, "the one behind answered"
    )
    refused = [answer for answer in answered(broker, worker.task) if answer["effect"] == "refused"]
    assert {answer["code"] for answer in refused} == {"too_large"}


@pytest.mark.skipif(not harness.has_kafka(), reason="the embedded broker adds no partitions")
def test_requests_in_partitions_beyond_the_tasks_are_answered(broker, worker):
    async def widen():
        admin = await connect(broker)
        await admin.create_partitions({f"{worker.task}.requests": NewPartitions(2)})
        await admin.close()
        await harness.append(broker, f"{worker.task}.requests", [(1, b'{"id": "wide", "features": {}}')])

    worker.stop("SIGKILL")
    asyncio.run(widen())
    worker.start().wait_ready()
    harness.wait_for(lambda: [one["id"] for one in answered(broker, worker.task)] == ["wide"], 30, "answered")
