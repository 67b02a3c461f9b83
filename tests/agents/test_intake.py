"""An intake asks the feature store once a poll and freezes what it gave; what is rejected afterwards is quarantined."""

import asyncio
import json
from types import SimpleNamespace

from agents.ingest import Counts
from agents.intake import Intake
from agents.mapping import Mapping
from learning.source import Source
from learning.task import Task

TASK = Task(name="ads", kind="binary", sources=[Source(topic="clicks", key="user", label="y", features="x")])


class Topic:
    def __init__(self):
        self.rows = []

    async def append(self, rows):
        self.rows += rows
        return []


class Store:
    """Knows the visits of users, and of one something that no task takes."""

    def __init__(self):
        self.asked = []

    async def enrich(self, rows):
        self.asked.append([key for key, _ in rows])
        return [features | {"visits": [] if key == "bad" else len(key or "")} for key, features in rows]


def test_stored_features_are_asked_once_a_poll_and_frozen_in_the_records():
    clicks = [
        {"user": "u1", "x": {"a": 1}, "y": True},
        {"user": "bad", "x": {"a": 2}, "y": True},
        {"x": {}, "y": False},
    ]
    poll = [
        SimpleNamespace(offset=at, timestamp=0, key=None, value=json.dumps(click).encode())
        for at, click in enumerate(clicks)
    ]
    ingest = SimpleNamespace(task=TASK, mappings={"clicks": Mapping(TASK, "clicks")}, enricher=Store(), counts=Counts())
    ingest.appender, ingest.quarantine = Topic(), Topic()

    async def deliver():
        intake = Intake(ingest, "clicks", 0)
        intake.status = "live"
        await intake.deliver(poll)
        return intake

    intake = asyncio.run(deliver())
    assert intake.error is None
    assert intake.position == 3
    assert ingest.enricher.asked == [["u1", "bad", None]]
    records = [json.loads(row.value) for row in ingest.appender.rows]
    assert [record["features"] for record in records] == [{"a": 1, "visits": 2}, {"visits": 0}]
    (rejected,) = ingest.quarantine.rows
    assert rejected.value == poll[1].value
    assert dict(rejected.headers)["code"] == b"feature"
    assert ingest.counts == Counts(mapped=2, rejected=1)
