"""What the views append: questions that nobody waits for are counted, and who waits is told what failed."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

import headrace.app.views.appender
import headrace.tables.kafka.producer
from headrace.app.answers import At
from headrace.app.errors import Problem
from headrace.app.views.appender import Appender
from headrace.learning.task import Task

TASK = Task(name="t", kind="binary", partitions=2)
AT = At(0, 7)


class Producer:
    """Acknowledges nothing, until it is told how it ends."""

    def __init__(self):
        self.sent = []

    async def send(self, topic, value, key, partition):
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]

    async def stop(self):
        pass


@pytest.fixture
def producers(monkeypatch):
    started = []

    async def start(brokers, **options):
        started.append(Producer())
        return started[-1]

    monkeypatch.setattr(headrace.tables.kafka.producer, "start_producer", start)
    return started


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_question_that_nobody_waits_for_is_counted_when_it_is_known_what_became_of_it(producers):
    offsets = []

    async def check():
        appender = Appender("127.0.0.1:1")
        for _ in range(3):
            assert appender.append_later(TASK, "k", b"{}", offsets.append)
            await settle()
        assert (appender.appended, appender.failed) == (0, 0)
        first, second, third = producers[0].sent
        first.set_result(AT)
        second.set_exception(KafkaTimeoutError())
        third.set_result(AT)
        await settle()
        return appender

    appender = asyncio.run(check())
    assert (appender.appended, appender.failed, appender.refused) == (2, 1, 0)
    assert sorted(offsets, key=str) == [7, 7, None]


def test_more_than_may_be_under_way_are_refused_and_counted(producers, monkeypatch):
    monkeypatch.setattr(headrace.app.views.appender, "UNDER_WAY_MAX", 2)

    async def check():
        appender = Appender("127.0.0.1:1")
        offsets = []
        taken = [appender.append_later(TASK, "k", b"{}", offsets.append) for _ in range(5)]
        assert offsets == [None] * 3
        await settle()
        for sent in producers[0].sent:
            sent.set_exception(KafkaTimeoutError())
        await settle()
        again = appender.append_later(TASK, "k", b"{}")
        return taken, again, appender.refused

    assert asyncio.run(check()) == ([True, True, False, False, False], True, 3)


@pytest.mark.parametrize(
    ("error", "status", "code"), [(MessageSizeTooLargeError(), 413, "too_large"), (KafkaTimeoutError(), 503, "broker")]
)
def test_who_waits_is_told_what_the_broker_did_not_take_and_the_next_goes_through_another_producer(
    producers, error, status, code
):
    async def check():
        appender = Appender("127.0.0.1:1")
        waiting = asyncio.create_task(appender.append(TASK, [("k", b"{}")]))
        await settle()
        producers[0].sent[0].set_exception(error)
        with pytest.raises(Problem) as refused:
            await waiting
        appender.append_later(TASK, "k", b"{}")
        await settle()
        assert len(producers) == 2
        return refused.value

    problem = asyncio.run(check())
    assert (problem.status, problem.code) == (status, code)


def test_a_broker_that_does_not_answer_is_a_refusal_too(producers, monkeypatch):
    monkeypatch.setattr(headrace.app.views.appender, "APPEND_SECONDS", 0.01)
    with pytest.raises(Problem) as refused:
        asyncio.run(Appender("127.0.0.1:1").append(TASK, [("k", b"{}")]))
    assert (refused.value.status, refused.value.code) == (503, "broker")
