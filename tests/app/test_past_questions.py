"""`GET /v1/{task}/predictions/{id}`: a logged question while it waits, when it is answered, and when it is no longer kept; from any worker."""

import asyncio
import time
import uuid

import harness
import pytest
from keyed import KEYS, bearer, keyed, owned

from headrace import AsyncClient, Client
from headrace.app.client import NotFoundError

NAME = f"past-{uuid.uuid4().hex[:8]}"
TOML = f"""
[tasks.{NAME}]
kind = "binary"
partitions = 3

[tasks.{NAME}-short]
kind = "binary"
wait = "1s"
"""


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("past"), broker, TOML).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


@pytest.fixture
def client(worker):
    with Client(worker.address) as made:
        yield made


def wait_logged(client, task, record_id, key=None):
    def found():
        try:
            client.logged(task, record_id, key)
        except NotFoundError:
            return False
        return True

    harness.wait_for(found, 20, f"{record_id} is folded")
    return client.logged(task, record_id, key)


def wait_answered(client, task, record_id):
    harness.wait_for(lambda: client.logged(task, record_id).state == "answered", 20, f"{record_id} is answered")
    return client.logged(task, record_id)


def test_a_waiting_question_has_its_features_place_and_predictions(client):
    answer = client.predict(NAME, {"x": 1.5, "c": "PT"}, id="w1", log=True)
    kept = wait_logged(client, NAME, "w1")
    assert (kept.id, kept.partition, kept.position) == ("w1", answer.logged.partition, answer.logged.offset)
    assert kept.features == {"x": 1.5, "c": "PT"}
    served = kept.served
    assert (served.arm, served.prediction, served.position) == ("champion", answer.prediction, answer.position)
    assert set(kept.arms) == {"champion", "no_change", "majority"}
    assert (kept.state, kept.label, kept.how, kept.delay_s) == ("waiting", None, None, None)
    assert kept.kept_until == pytest.approx(kept.time + 7 * 86_400)


def test_an_answered_question_has_its_label_and_what_was_predicted_before(client):
    client.samples(NAME, [{"features": {"x": float(n)}, "label": n > 4, "key": f"k{n}"} for n in range(60)])
    harness.wait_for(lambda: sum(one.updates for one in client.status(NAME).shards) >= 60, 20, "learned")
    answer = client.predict(NAME, {"x": 50.0}, id="a/1 %é..", key="k1", log=True)
    waiting = wait_logged(client, NAME, "a/1 %é..")
    client.label(NAME, "a/1 %é..", label=False, key="k1")
    kept = wait_answered(client, NAME, "a/1 %é..")
    assert (kept.label, kept.how, kept.position) == (False, "label", waiting.position)
    assert kept.delay_s >= 0
    assert kept.arms == waiting.arms, "frozen before the label was learned"
    assert kept.arms["champion"].probabilities == answer.probabilities
    assert kept.served.prediction == answer.prediction
    assert client.logged(NAME, "a/1 %é..", "k1") == kept


def test_a_label_that_came_first_is_told_with_its_question(client, broker):
    for value in (
        b'{"id": "e1", "label": true}',
        b'{"features": {"x": 1}, "label": true}\n{"id": "e1", "features": {"x": 2}}',
    ):
        asyncio.run(harness.append(broker, f"{NAME}.events", [(0, value)]))
    kept = wait_logged(client, NAME, "e1")
    assert (kept.partition, kept.features, kept.label, kept.how, kept.delay_s) == (0, {"x": 2}, True, "label", 0.0)
    assert (kept.state, kept.arms) == ("answered", {})


def test_a_label_without_a_question_and_a_sample_are_no_questions(client):
    at = client.sample(NAME, {"x": 1.0}, label=True, id="s1", key="k1")
    client.label(NAME, "l1", label=True)
    harness.wait_for(lambda: client.status(NAME).shards[at.partition].position > at.offset, 20, "folded")
    for record_id in ("s1", "l1", "never", ".."):
        with pytest.raises(NotFoundError) as caught:
            client.logged(NAME, record_id)
        assert caught.value.code == "unknown_id"
        assert "7d (`wait`)" in caught.value.what
        assert f"headrace explain {NAME} {record_id}" in caught.value.remedy


def test_a_question_is_gone_when_its_wait_is_over(client):
    task = f"{NAME}-short"
    client.predict(task, {"x": 1.0}, id="g1", log=True)
    wait_logged(client, task, "g1")

    def is_gone():
        client.sample(task, {"x": 1.0}, label=True)  # moves log time
        try:
            client.logged(task, "g1")
        except NotFoundError as error:
            return error.code == "unknown_id" and "1s" in error.what
        return False

    harness.wait_for(is_gone, 20, "the question is gone")


def test_looking_changes_nothing(client):
    client.predict(NAME, {"x": 1.0}, id="n1", log=True)
    kept = wait_logged(client, NAME, "n1")
    before = client.status(NAME).shards[kept.partition]

    async def look_often():
        async with AsyncClient(client._exchange.address) as many:
            return await asyncio.gather(*(many.logged(NAME, "n1") for _ in range(5)))

    assert asyncio.run(look_often()) == [kept] * 5
    after = client.status(NAME).shards[kept.partition]
    assert (after.position, after.digest) == (before.position, before.digest)


@pytest.mark.parametrize("query", ["partition=-1", "partition=x", "partition="])
def test_a_partition_that_is_none_is_refused(worker, query):
    status, problem = worker.post(f"/v1/{NAME}/predictions/w1?{query}", b"", method="GET")
    assert (status, problem["code"]) == (422, "partition")


def test_every_worker_finds_a_question_of_any_shard_for_a_caller_that_may_ask(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyed")
    name = f"past-keyed-{uuid.uuid4().hex[:8]}"
    toml, settings = keyed(folder, name)
    workers = [harness.Worker(folder / one, broker, toml, settings, instance=one) for one in ("a", "b")]
    with harness.sharing(workers, name, owned):
        for partition, key in KEYS.items():
            body = {"features": {"x": 1.0}, "key": key, "id": f"q {partition}/%2E", "log": True}
            status, _ = workers[0].post(f"/v1/{name}/predict?fresh=true", body, headers=bearer("predict"))
            assert status == 200
        for worker in workers:
            for partition in KEYS:
                path = f"/v1/{name}/predictions/q%20{partition}%2F%252E"

                def look(path=path, worker=worker, role="predict"):
                    return worker.post(path, b"", headers=bearer(role), method="GET")

                deadline = time.monotonic() + 20
                while (found := look())[0] != 200 and time.monotonic() < deadline:
                    time.sleep(0.1)
                status, answer = found
                assert (status, answer["partition"], answer["state"]) == (200, partition, "waiting"), answer
                assert look(role="feedback")[1]["code"] == "role"
            status, problem = worker.post(f"/v1/{name}/predictions/none", b"", headers=bearer("predict"), method="GET")
            assert (status, problem["code"]) == (404, "unknown_id")
