"""A member of the group on a real Kafka that is no worker. It owns a shard, and chooses its own address."""

import asyncio
import uuid

import harness
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from fake_owner import Fake, header, response
from keyed import GROUP_SECRET, KEYS, SECRETS, ask, keyed, owned

from headrace.app.proof import PROOF
from headrace.tables.kafka.members import CLIENT

PATH = "/v1/{}/predict/batch"


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    """A worker with keys and a group secret, which owns both shards."""
    folder = tmp_path_factory.mktemp("faked")
    name = f"faked-{uuid.uuid4().hex[:8]}"
    toml, settings = keyed(folder, name)
    one = harness.Worker(folder / "a", broker, toml, settings)
    one.task = name
    one.start()
    try:
        yield one.wait_ready()
    finally:
        one.stop("SIGKILL")


async def ask_beside(worker, broker, form):
    """Ask a worker about the shard of a fake member with an address of this form. Return status, answer, and the requests that the fake gets."""
    async with Fake(*[response(body=b'[{"prediction": true}]')] * 50) as fake:
        consumer = AIOKafkaConsumer(
            f"{worker.task}.events",
            bootstrap_servers=broker,
            group_id=f"tests-{worker.task}",
            client_id=CLIENT + form.format(fake.address),
            enable_auto_commit=False,
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
        )
        await consumer.start()
        try:
            async with asyncio.timeout(60):
                while not consumer.assignment() or len(await asyncio.to_thread(owned, worker)) != 1:
                    await consumer.getmany(timeout_ms=100)
                (theirs,) = {shard.partition for shard in consumer.assignment()}
                while True:  # until the worker has asked the group again
                    status, answer = await asyncio.to_thread(ask, worker, KEYS[theirs], "?fresh=true")
                    if answer.get("code") != "no_owner":
                        return status, answer, fake.requests
        finally:
            await consumer.stop()


def test_a_member_of_the_group_sees_no_key_and_its_answer_is_not_believed(worker, broker):
    status, answer, requests = asyncio.run(ask_beside(worker, broker, "{}"))
    assert (status, answer["code"]) == (503, "owner_unreachable")
    assert "not signed with the group secret" in answer["detail"]
    assert {request.split(b"\r\n")[0] for request in requests} == {
        f"POST {PATH.format(worker.task)}?fresh=true HTTP/1.1".encode()
    }
    for request in requests:
        assert header(request, PROOF)
        for secret in (*SECRETS.values(), GROUP_SECRET, "Authorization"):
            assert secret.lower().encode() not in request.lower()


@pytest.mark.parametrize("form", ["{}/admin?x=", "https://127.0.0.1:1", "{}@127.0.0.1:1"])
def test_a_member_of_the_group_cannot_choose_what_is_asked(worker, broker, form):
    status, answer, requests = asyncio.run(ask_beside(worker, broker, form))
    assert (status, answer["code"], requests) == (503, "owner_address", [])
    assert worker.process.poll() is None
