"""The status and the signals of a worker whose guard compares the champion with its last good version."""

import random
import uuid

import harness
import pytest
from called import command
from scrape import Scrape

from headrace import Client

SETTINGS = """\
[tasks.TASK]
kind = "binary"
model = { use = "logistic", learning_rate = 0.1 }
versions = { every = 500 }
guard = { against = ["last_good"], every = 1, mode = "auto" }
detectors = [{ use = "evidence", between = 10000 }]
"""


def rows(count, seed, *, flipped=False):
    dice = random.Random(seed)
    for _ in range(count):
        x = dice.gauss(0, 1)
        yield {"features": {"x": x, "bias": 1.0}, "label": (x > 0) != flipped}


@pytest.fixture
def worker(broker, tmp_path):
    name = f"drifts-{uuid.uuid4().hex[:8]}"
    started = harness.Worker(tmp_path / "one", broker, SETTINGS.replace("TASK", name))
    started.task = name
    started.start().wait_ready()
    yield started
    started.stop()


def test_arms_and_signals_are_told_by_http_and_by_command(worker):
    with Client(worker.address) as client:
        for flipped, count, seed in ((False, 1_000, 1), (False, 1_000, 2), (True, 200, 3), (False, 500, 4)):
            client.samples(worker.task, list(rows(count, seed, flipped=flipped)))
        harness.wait_for(lambda: client.status(worker.task).shards[0].updates == 2_700, 30, "all learned")
        shard = client.status(worker.task).shards[0]
        roles = {name: arm.role for name, arm in shard.arms.items() if arm.role != "baseline"}
        assert roles == {"champion": "champion", "last_good": "frozen"}
        signals = client.signals(worker.task)
    assert next(one.action for one in signals if one.detector == "degraded").startswith("rolled back"), signals
    assert "degraded" in command(worker, "drift")
    assert "last_good" in command(worker, "status")
    scrape, place = Scrape(worker), {"task": worker.task, "partition": "0"}
    degraded = sum(one.detector == "degraded" for one in signals)
    assert scrape.one("headrace_signals_total", **place, detector="degraded") == degraded
    assert scrape.one("headrace_signals_total", **place, detector="evidence", direction="better", kind="drift") >= 0
    assert scrape.one("headrace_rollbacks_total", **place) == sum(
        one.action.startswith("rolled back") for one in signals
    )
    arms = [scrape.one("headrace_accuracy_ratio", **place, arm=arm, window="all") for arm in ("champion", "last_good")]
    assert [0 < accuracy < 1 for accuracy in arms] == [True, True]
