"""A few thousand random requests; `make fuzz` sends 100,000."""

import asyncio
import json

import harness
import pytest
import random_requests


def test_random_requests_change_no_model_and_end_no_worker(broker, tmp_path):
    found = random_requests.run(tmp_path / "worker", broker, count=4_000, seed=11)
    assert found.total() == 4_000
    assert found[200] > 500, "most of what is sent must come through the doors"
    assert {202, 400, 401, 403, 404, 405, 409, 422} <= set(found)


def test_a_request_that_changes_a_model_is_noticed(broker, tmp_path, monkeypatch):
    sent = random_requests.send

    async def send_one_more(port, tasks, count, seed):
        found = await sent(port, tasks, count, seed)
        row = json.dumps({"features": {"x": 1}, "label": True}).encode()
        await harness.append(broker, f"{tasks[0]}.events", [(0, row)])
        await asyncio.sleep(2)
        return found

    monkeypatch.setattr(random_requests, "send", send_one_more)
    with pytest.raises(AssertionError, match="changed a model"):
        random_requests.run(tmp_path / "worker", broker, count=20, seed=1)
