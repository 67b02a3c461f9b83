"""The topic watch tells of topics that are deleted, replaced or widened while a worker runs, and of nothing else."""

import asyncio
import uuid
from types import SimpleNamespace

import harness
import pytest
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.errors import KafkaConnectionError

import headrace.agents.topic_watch
from headrace.agents.pace import Pace
from headrace.agents.topic_watch import TopicWatch
from headrace.learning.task import Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.metadata import TopicDescription
from headrace.tables.kafka.topics import Topic, connect, prepare, topics_of

TASK = Task(name="ads", kind="binary", sources=[Source(topic="clicks", label="y", features="x")])
NAMES = [topic.name for topic in topics_of(TASK)] + ["clicks"]
IDS = {name: uuid.uuid4() for name in NAMES}
WELL = {name: TopicDescription(1, IDS[name]) for name in NAMES}


def looks(monkeypatch, *answers):
    """The troubles after each look, when the broker gives these answers."""
    heard, rounds, given = [], [], iter(answers)

    async def find(admin, names):
        assert sorted(names) == sorted(NAMES)
        return next(given)

    async def hear(trouble):
        heard.append((trouble.topic, str(trouble.error)))

    async def look():
        watch = TopicWatch("", [TASK], hear)
        watch._admin = object()
        for _ in answers:
            await watch.look()
            rounds.append(heard[:])
            heard.clear()

    monkeypatch.setattr(headrace.agents.topic_watch, "find_topics", find)
    asyncio.run(look())
    return rounds


def without(*names):
    return {name: found for name, found in WELL.items() if name not in names}


def made_anew(*names):
    return WELL | {name: TopicDescription(1, uuid.uuid4()) for name in names}


def test_topics_that_are_as_they_were_are_no_trouble(monkeypatch):
    assert looks(monkeypatch, WELL, WELL, WELL) == [[], [], []]


def test_one_look_that_lacks_topics_is_not_believed(monkeypatch):
    assert looks(monkeypatch, WELL, {}, WELL, without("ads.events"), WELL) == [[]] * 5


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("ads.events", "clicks")])
def test_a_deleted_topic_is_named_with_a_remedy_for_as_long_as_it_is_missing(monkeypatch, name):
    *_, second, third, mended = looks(monkeypatch, WELL, without(name), without(name), without(name), WELL)
    assert second == third
    ((topic, message),) = second
    assert topic == name
    assert f"{name} was deleted while the task ran. It is made again" in message
    assert mended == []


def test_a_deleted_event_log_has_a_remedy_that_keeps_what_is_left(monkeypatch):
    ((topic, message),) = looks(monkeypatch, WELL, *[without("ads.events")] * 2)[-1]
    assert topic == "ads.events"
    assert "Restore the log" in message
    assert "ads.snapshots and ads.pending" in message


@pytest.mark.parametrize("name", ["ads.events", "clicks"])
def test_a_topic_made_anew_between_two_looks_is_noticed_by_its_id(monkeypatch, name):
    anew = made_anew(name)
    ((topic, message),) = looks(monkeypatch, WELL, anew, anew)[-1]
    assert topic == name
    assert "was deleted and made anew" in message


@pytest.mark.parametrize(
    "name", ["ads.requests", "ads.predictions", "ads.signals", "ads.quarantine", "ads.snapshots", "ads.pending"]
)
def test_a_topic_that_the_fold_can_do_without_or_that_is_read_anew_may_be_made_anew(monkeypatch, name):
    anew = made_anew(name)
    assert looks(monkeypatch, WELL, anew, anew) == [[], [], []]


def test_partitions_added_to_the_log_are_trouble_and_to_a_source_or_another_topic_are_not(monkeypatch):
    wide = WELL | {name: TopicDescription(2, IDS[name]) for name in ("ads.requests", "clicks")}
    assert looks(monkeypatch, WELL, wide, wide)[-1] == []
    wide["ads.events"] = TopicDescription(2, IDS["ads.events"])
    ((topic, message),) = looks(monkeypatch, WELL, wide, wide)[-1]
    assert topic == "ads.events"
    assert "Set partitions = 2" in message


def test_a_topic_that_is_not_described_now_is_neither_missing_nor_another(monkeypatch):
    electing = WELL | {"ads.events": TopicDescription(0, None, error=5)}
    assert looks(monkeypatch, WELL, electing, electing, WELL) == [[]] * 4


def test_a_broker_without_topic_ids_is_no_trouble(monkeypatch):
    old = {name: TopicDescription(1) for name in NAMES}
    assert looks(monkeypatch, old, old, old) == [[]] * 3


def test_a_callback_that_fails_is_called_again_and_keeps_no_other_from_being_called(monkeypatch):
    called = []

    async def find(admin, names):
        return without("ads.events", "clicks")

    async def fail(trouble):
        called.append(trouble.topic)
        raise RuntimeError("not now")

    async def look():
        watch = TopicWatch("", [TASK], fail)
        watch._admin = object()
        for _ in range(3):
            await watch.look()

    monkeypatch.setattr(headrace.agents.topic_watch, "find_topics", find)
    asyncio.run(look())
    assert called == ["ads.events", "clicks"] * 2


def test_a_broker_that_is_away_is_asked_less_and_less_often_and_ends_nothing(monkeypatch):
    waits = []

    async def away(client):
        raise KafkaConnectionError("away")

    async def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 7:
            raise asyncio.CancelledError

    async def run():
        watch = TopicWatch("127.0.0.1:1", [TASK], None, sleep=sleep)
        with pytest.raises(asyncio.CancelledError):
            await watch.run()

    monkeypatch.setattr(headrace.agents.topic_watch, "started", away)
    asyncio.run(run())
    assert waits == [4, 8, 16, 30, 30, 30, 30]


def test_a_suspicion_is_checked_sooner_than_topics_are_looked_at(monkeypatch):
    answers, waits = [WELL, without("clicks"), without("clicks"), WELL], []

    async def find(admin, names):
        return answers[len(waits)]

    async def hear(trouble):
        pass

    async def sleep(seconds):
        waits.append(seconds)
        if len(waits) == len(answers):
            raise asyncio.CancelledError

    async def run():
        watch = TopicWatch("", [TASK], hear, Pace(look_at_topics=7.0, confirm_trouble=3.0), sleep=sleep)
        watch._admin = SimpleNamespace(close=lambda: asyncio.sleep(0))
        with pytest.raises(asyncio.CancelledError):
            await watch.run()

    monkeypatch.setattr(headrace.agents.topic_watch, "find_topics", find)
    asyncio.run(run())
    assert waits == [7.0, 3.0, 3.0, 7.0]


def test_on_a_broker_each_kind_of_trouble_is_noticed(broker):
    """Deleted, deleted and made anew, widened: for an event log and for a source."""
    run = uuid.uuid4().hex[:8]
    source = f"rows-{run}"
    tasks = [Task(name=f"{kind}-{run}", kind="binary") for kind in ("gone", "anew", "wide", "well")]
    tasks.append(Task(name=f"mapped-{run}", kind="binary", sources=[Source(topic=source, label="y", features="x")]))
    gone, anew, wide, _, mapped = tasks
    heard = {}

    async def hear(trouble):
        heard[trouble.task, trouble.topic] = str(trouble.error)

    async def change(admin):
        await admin.delete_topics([gone.events, anew.events, source])
        while {gone.events, anew.events, source} & set(await admin.list_topics()):
            await asyncio.sleep(0.05)
        await admin.create_topics([NewTopic(anew.events, 1, 1), NewTopic(source, 1, 1)])
        if harness.has_kafka():
            await admin.create_partitions({wide.events: NewPartitions(3)})

    async def go():
        for task in tasks:
            await prepare(broker, topics_of(task))
        await prepare(broker, [Topic(source, 1, {})])
        admin = await connect(broker)
        watch = TopicWatch(broker, tasks, hear, Pace(look_at_topics=0.2, confirm_trouble=0.1))
        running = asyncio.create_task(watch.run())
        while not watch._ids:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert heard == {}
        await change(admin)
        expected = {(gone.name, gone.events), (anew.name, anew.events), (mapped.name, source)}
        if harness.has_kafka():
            expected.add((wide.name, wide.events))
        for _ in range(200):
            if set(watch.troubles) == expected and "made anew" in heard[anew.name, anew.events]:
                break
            await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await admin.close()
        assert set(watch.troubles) == expected

    asyncio.run(go())
    assert "made anew" not in heard[gone.name, gone.events]
    assert "made anew" in heard[mapped.name, source]
