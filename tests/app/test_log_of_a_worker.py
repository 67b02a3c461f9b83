"""The log of a worker: its first start, a broker that goes away, and its end."""

import asyncio
import json
import time

import harness
import pytest

TOML = '[tasks.visits]\nkind = "binary"\npartitions = 2\n[tasks.clicks]\nkind = "regression"\n'

AWAY_SECONDS = 10.0


def lines(worker):
    return [json.loads(line) for line in worker.log().splitlines()]


@pytest.mark.skipif(not harness.has_kafka(), reason="a real Kafka is killed")
def test_nothing_alarming_when_all_is_well_and_few_lines_when_the_broker_is_away(tmp_path):
    (tmp_path / "kafka").mkdir()
    kafka = harness.Kafka(tmp_path / "kafka").start()
    worker = harness.Worker(tmp_path / "worker", kafka.address, TOML).start()
    try:
        harness.wait_for(lambda: "ready at" in worker.log(), 90, lambda: f"ready; log:\n{worker.log()}")
        assert worker.get("/readyz") == {"status": "ready"}
        worker.wait_ready()
        asyncio.run(harness.append(kafka.address, "visits.events", [(0, b'{"features": {}, "label": true}')] * 10))
        harness.wait_for(lambda: worker.get("/v1/visits")["shards"][0]["updates"] == 10, 60, "all folded")
        before = lines(worker)
        assert {line["level"] for line in before} == {"info"}
        assert f"ready at {worker.address}" in [line["event"] for line in before]

        kafka.kill()
        time.sleep(AWAY_SECONDS)
        away = lines(worker)[len(before) :]
        assert 0 < len(away) < 40
        assert [line for line in away if line["level"] == "error"] == []
        causes = [tuple(map(line.get, ("event", "task", "topic", "partition", "error"))) for line in away]
        assert len(causes) == len(set(causes))

        worker.signal("SIGTERM")
        assert worker.process.wait(20) == 0
        assert lines(worker)[-1]["event"] == "stopped"
    finally:
        worker.stop("SIGKILL")
        kafka.kill()
