"""An intake asks the feature store once a poll and freezes what it gave; what is rejected afterwards is quarantined."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaConnectionError

from headrace.agents.intake import Intake
from headrace.agents.mapping import Mapping
from headrace.agents.pace import Pace
from headrace.agents.positions import Positions, Start
from headrace.agents.source_context import Counts
from headrace.agents.telemetry import Telemetry
from headrace.learning.errors import LogError
from headrace.learning.records.mark import Mark
from headrace.learning.task import Task
from headrace.learning.task.source import Source

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
    context = SimpleNamespace(
        task=TASK,
        mappings={"clicks": Mapping(TASK, "clicks")},
        logs={"clicks": None},
        enricher=Store(),
        counts=Counts(),
        telemetry=Telemetry(),
        pace=Pace(),
    )
    context.appender, context.quarantine = Topic(), Topic()

    async def deliver():
        intake = Intake(context, "clicks", 0)
        intake.status = "live"
        await intake.deliver(poll)
        return intake

    intake = asyncio.run(deliver())
    assert intake.error is None
    assert intake.position == 3
    assert context.enricher.asked == [["u1", "bad", None]]
    records = [json.loads(row.value) for row in context.appender.rows]
    assert [record["features"] for record in records] == [{"a": 1, "visits": 2}, {"visits": 0}]
    (rejected,) = context.quarantine.rows
    assert rejected.value == poll[1].value
    assert dict(rejected.headers)["code"] == b"feature"
    assert context.counts == Counts(mapped=2, rejected=1)


class Source:
    """A source topic that can be made anew, lose its end or be compacted, with what an intake asks of it and of Kafka."""

    def __init__(self, count=10, tag="old"):
        self.fill(count, tag)
        self.committed, self.compared, self.is_away = None, 0, False
        self.lost, self.other = Positions("ads", "").lost, Positions("ads", "").other

    def fill(self, count, tag):
        self.messages = [self.message(at, tag) for at in range(count)]
        self.end = count

    @staticmethod
    def message(at, tag):
        value = json.dumps({"user": tag, "x": {"a": at}, "y": True}).encode()
        return SimpleNamespace(offset=at, timestamp=at, key=None, value=value)

    async def start(self, topic, partition):
        return self.committed or Start(0, 0)

    async def commit(self, topic, partition, position, mark):
        assert Mark.parse(mark.text) == mark
        self.committed = Start(position, 0, mark)

    async def ends(self, partitions):
        return {0: self.end}

    async def read(self, partition, start, end):
        for message in self.messages:
            if start <= message.offset < end:
                yield message

    async def holds(self, partition, mark):
        if self.is_away:
            raise KafkaConnectionError("away")
        self.compared += 1
        held = [message for message in self.messages if message.offset == mark.offset]
        return Mark.of(held[0]) == mark if held else mark.offset < self.end

    def intake(self):
        context = SimpleNamespace(
            task=TASK,
            mappings={"clicks": Mapping(TASK, "clicks")},
            enricher=None,
            counts=Counts(),
            telemetry=Telemetry(),
            pace=Pace(retry=0.0),
        )
        context.appender = context.quarantine = self.mapped = Topic()
        context.positions = self
        context.logs, context.tell_group = {"clicks": self}, lambda *_: asyncio.sleep(0)
        return Intake(context, "clicks", 0)


async def mapped_up_to(source, end):
    intake = source.intake()
    await intake.open()
    await intake.deliver(source.messages[:end])
    await intake.commit()
    assert (intake.position, intake.status) == (end, "live")
    return intake


@pytest.mark.parametrize("count", [3, 7, 8, 30])
def test_a_topic_made_anew_while_stopped_stops_the_intake_however_long_it_is(count):
    async def reopen():
        source = Source()
        await mapped_up_to(source, 8)
        source.fill(count, "new")
        intake = source.intake()
        await intake.open()
        return intake

    intake = asyncio.run(reopen())
    assert (intake.status, intake.position, intake.end) == ("stopped", 8, count)
    assert f"was mapped up to offset 8, but it ends at {count}" in intake.error
    assert "needs a name of its own" in intake.error
    assert "--group headrace-ads.sources --topic clicks:0 --reset-offsets --to-offset 8" in intake.error


def test_the_same_topic_is_gone_on_with_and_so_is_one_that_was_reset_by_hand():
    async def reopen():
        source = Source()
        await mapped_up_to(source, 8)
        intake = source.intake()
        await intake.open()
        assert intake.status == "live"
        source.fill(30, "new")
        source.committed = Start(8, 0, Mark.parse(""))  # as the remedy says
        intake = source.intake()
        await intake.open()
        await intake.deliver(source.messages)
        return intake

    intake = asyncio.run(reopen())
    assert (intake.status, intake.position) == ("live", 30)
    assert len(intake.context.appender.rows) == 22


@pytest.mark.parametrize("count", [3, 30])
def test_a_topic_made_anew_while_running_stops_the_intake_before_anything_of_it_is_mapped(count):
    async def go():
        source = Source()
        intake = await mapped_up_to(source, 8)
        rows = len(source.mapped.rows)
        source.fill(count, "new")
        await intake.deliver(source.messages)
        assert len(source.mapped.rows) == rows
        return intake

    assert asyncio.run(go()).status == "stopped"


def test_a_lost_end_is_noticed_without_a_message():
    async def go():
        source = Source()
        intake = await mapped_up_to(source, 10)
        await intake.catch_up()
        assert intake.status == "live"
        source.fill(4, "old")
        await intake.catch_up()
        return intake

    intake = asyncio.run(go())
    assert (intake.status, intake.position, intake.end) == ("stopped", 10, 4)


def test_a_lost_end_that_held_no_message_is_taken_back():
    """Markers and aborted records behind the last message are lost; the offsets are used again, for messages."""

    async def go():
        source = Source()
        intake = await mapped_up_to(source, 10)
        source.end = 15
        for _ in range(2):
            await intake.catch_up()
        assert intake.position == 15
        source.fill(12, "old")
        await intake.catch_up()
        return intake

    intake = asyncio.run(go())
    assert (intake.status, intake.position) == ("live", 12)
    assert len(intake.context.appender.rows) == 12


def test_a_compacted_or_shortened_topic_is_gone_on_with():
    async def go():
        source = Source(20)
        intake = await mapped_up_to(source, 10)
        source.messages = [message for message in source.messages if message.offset >= 11]
        await intake.deliver(source.messages)
        return intake

    intake = asyncio.run(go())
    assert (intake.status, intake.position) == ("live", 20)


def test_in_a_steady_flow_nothing_is_compared():

    async def go():
        source = Source(200)
        intake = await mapped_up_to(source, 5)
        source.compared = 0
        for at in range(5, 200):
            await intake.deliver([source.messages[at]], link="one run")
        return source.compared

    assert asyncio.run(go()) == 1  # at the first of the run


def test_while_the_broker_cannot_compare_nothing_is_mapped_and_nothing_is_lost():
    async def go():
        source = Source()
        intake = await mapped_up_to(source, 5)
        source.is_away = True
        await intake.deliver(source.messages[5:])
        assert (intake.position, intake.status) == (5, "live")
        source.is_away = False
        for _ in range(2):
            await intake.catch_up()
        return intake

    intake = asyncio.run(go())
    assert (intake.position, intake.error) == (10, None)


@pytest.mark.parametrize("fails", [False, True])
def test_an_intake_that_is_stopped_meanwhile_keeps_its_error(fails):
    async def go():
        source = Source()
        intake = await mapped_up_to(source, 5)

        async def holds(partition, mark):
            intake.stop(LogError("the cause.", "The remedy."))
            if fails:
                raise KafkaConnectionError("away")
            return True

        source.holds = holds
        await intake.deliver(source.messages[5:])
        return intake

    intake = asyncio.run(go())
    assert (intake.status, intake.error, intake.position) == ("stopped", "the cause. The remedy.", 5)
