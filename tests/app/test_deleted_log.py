"""A task whose event log is deleted under a live worker is shown as stopped everywhere, whatever the group does with its partitions."""

import asyncio
import json

import harness
import pytest
from scrape import Scrape

from headrace.tables.kafka.topics import connect

TASK = "forgotten"

TOML = f"""
[tasks.{TASK}]
kind = "binary"
partitions = 2
"""


@pytest.fixture(params=[pytest.param(True, id="kafka"), pytest.param(False, id="embedded")])
def worker(request, tmp_path):
    """A worker whose shards have folded something, with a broker of its own."""
    if request.param and not harness.has_kafka():
        pytest.skip("Java or Maven is missing")
    with harness.running_broker(real=request.param) as broker:
        started = harness.Worker(tmp_path, broker, TOML).start()
        started.broker, started.is_real = broker, request.param
        try:
            started.wait_ready()
            value = json.dumps({"features": {"x": 1.0}, "label": True}).encode()
            asyncio.run(harness.append(broker, f"{TASK}.events", [(0, value), (1, value)]))
            harness.wait_for(lambda: Scrape(started).of("headrace_updates_total", task=TASK) == [1, 1], 20, "learned")
            yield started
        finally:
            started.stop("SIGKILL")


async def delete(broker, topic):
    admin = await connect(broker)
    try:
        await admin.delete_topics([topic])
    finally:
        await admin.close()


def test_a_deleted_log_shows_as_stopped_shards_everywhere(worker):
    before = Scrape(worker).one("headrace_rebalances_total")
    asyncio.run(delete(worker.broker, f"{TASK}.events"))
    harness.wait_for(lambda: worker.get(f"/v1/{TASK}").get("error"), 60, "the task is stopped")
    if worker.is_real:  # it takes the partitions away, so that the worker owns no shard any more
        harness.wait_for(lambda: Scrape(worker).one("headrace_rebalances_total") > before, 60, "a rebalance")
    status = worker.get(f"/v1/{TASK}")
    assert f"the topic {TASK}.events was deleted" in status["error"]
    assert [shard["state"] for shard in status["shards"]] == ["stopped", "stopped"]
    scrape = Scrape(worker)
    assert scrape.one("headrace_shards", task=TASK, state="stopped") == 2
    assert scrape.of("headrace_shards", task=TASK, state="stale") == [0]
    staleness = scrape.families["headrace_staleness_seconds"].samples
    assert [one.labels["state"] for one in staleness] == ["stopped", "stopped"]
    assert worker.get("/v1")["tasks"][0]["shards"] == {"stopped": 2}
    assert worker.get("/readyz") is None
