"""The quarantine over HTTP and by command: the last refused records, counts by reason, and records that are sent again once."""

import asyncio
import json
import uuid

import harness
import pytest

from headrace import Client
from headrace.app.client import RefusedError

NAME = f"refused-{uuid.uuid4().hex[:8]}"
TOML = f"""
[tasks.{NAME}]
kind = "binary"
partitions = 2
"""

BAD = {
    0: [b'{"features": {"x": 1}, "label": "yes"}', b"{", b'{"features": {"x": 2}, "label": "no"}'],
    1: [b'{"features": {"x": null}, "label": true}', b'{"features": {"x": 3}, "label": "<b>yes</b>"}'],
}


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("refused"), broker, TOML).start()
    try:
        started.wait_ready()
        for partition, lines in BAD.items():
            for line in lines:
                asyncio.run(harness.append(broker, f"{NAME}.events", [(partition, line)]))
        harness.wait_for(lambda: total(started) == 5, 20, "all are refused")
        yield started
    finally:
        started.stop("SIGKILL")


def total(worker, key="quarantined"):
    return sum(shard[key] for shard in worker.get(f"/v1/{NAME}")["shards"] if key in shard)


def test_the_last_records_come_newest_first_with_counts_of_all(worker):
    with Client(worker.address) as client:
        harness.wait_for(lambda: client.quarantine(NAME).counted == 5, 20, "the broker has them")
        answer, last = client.quarantine(NAME), client.quarantine(NAME, limit=1)
    assert (answer.counts, answer.kept) == ({"label": 3, "feature": 1, "not_json": 1}, 5)
    assert [(one.partition, one.value.encode()) for one in answer.records] == [
        (partition, line) for partition in (1, 0) for line in reversed(BAD[partition])
    ]
    newest = answer.records[0]
    assert (newest.topic, newest.row, newest.code, newest.key) == (f"{NAME}.events", 0, "label", None)
    assert newest.id.startswith(f"{NAME}/1/{newest.offset}/0/")
    assert (newest.stored_in, newest.stored_at, newest.bytes) == (1, 1, len(BAD[1][1]))
    assert last.records == answer.records[:1]
    assert last.counts == answer.counts


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "", "1e2"])
def test_a_limit_that_is_none_is_refused(worker, limit):
    status, problem = worker.post(f"/v1/{NAME}/quarantine?limit={limit}", b"", method="GET")
    assert (status, problem["code"]) == (422, "limit")


def test_records_of_others_take_the_role_admin(broker, tmp_path):
    from keyed import bearer, keyed

    name = f"refused-keyed-{uuid.uuid4().hex[:8]}"
    toml, settings = keyed(tmp_path, name)
    worker = harness.Worker(tmp_path / "one", broker, toml, settings).start()
    try:
        worker.wait_ready()
        for role in ("predict", "feedback"):
            status, problem = worker.post(f"/v1/{name}/quarantine", b"", headers=bearer(role), method="GET")
            assert (status, problem["code"]) == (403, "role")
            assert "'admin'" in problem["detail"]
    finally:
        worker.stop("SIGKILL")


def test_a_task_that_is_none_is_refused(worker):
    with Client(worker.address) as client, pytest.raises(RefusedError) as caught:
        client.quarantine("none")
    assert caught.value.code == "unknown_task"


def test_a_long_record_is_cut_in_the_answer_and_its_size_is_told(worker, broker):
    name = NAME
    value = json.dumps({"features": {"x": "é" * 5_000}, "label": True}, ensure_ascii=False).encode()
    asyncio.run(harness.append(broker, f"{name}.events", [(0, value)]))
    with Client(worker.address) as client:
        harness.wait_for(lambda: client.quarantine(name).counts.get("feature") == 2, 20, "it is refused")
        record = client.quarantine(name, limit=1).records[0]
    assert record.bytes == len(value)
    assert len(record.value.encode()) <= 4_096 + 3
