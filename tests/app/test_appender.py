"""The request appender: it counts questions that nobody waits for, and tells a caller who waits what failed."""

import asyncio
from functools import partial

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from fakes.producer import Producer, starting

import headrace.app.serving.request_appender
from headrace.app.answers import At
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.request_appender import RequestAppender
from headrace.learning.task import Task

TASK = Task(name="t", kind="binary", partitions=2)
AT = At(0, 7)


@pytest.fixture
def producers(monkeypatch):
    return starting(monkeypatch, partial(Producer, acknowledges=False))


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_question_that_nobody_waits_for_is_counted_when_it_is_known_what_became_of_it(producers):
    offsets = []

    async def check():
        appender = RequestAppender("127.0.0.1:1")
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
    monkeypatch.setattr(headrace.app.serving.request_appender, "UNDER_WAY_MAX", 2)

    async def check():
        appender = RequestAppender("127.0.0.1:1")
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
    ("error", "kind", "code"),
    [(MessageSizeTooLargeError(), "too_large", "too_large"), (KafkaTimeoutError(), "unavailable", "broker")],
)
def test_who_waits_is_told_what_the_broker_did_not_take_and_the_next_goes_through_another_producer(
    producers, error, kind, code
):
    async def check():
        appender = RequestAppender("127.0.0.1:1")
        waiting = asyncio.create_task(appender.append(TASK, [("k", b"{}")]))
        await settle()
        producers[0].sent[0].set_exception(error)
        with pytest.raises(RequestRefused) as refused:
            await waiting
        appender.append_later(TASK, "k", b"{}")
        await settle()
        assert len(producers) == 2
        return refused.value

    refused = asyncio.run(check())
    assert (refused.kind, refused.code) == (kind, code)


def test_a_broker_that_does_not_answer_is_a_refusal_too(producers, monkeypatch):
    monkeypatch.setattr(headrace.app.serving.request_appender, "APPEND_SECONDS", 0.01)
    with pytest.raises(RequestRefused) as refused:
        asyncio.run(RequestAppender("127.0.0.1:1").append(TASK, [("k", b"{}")]))
    assert (refused.value.kind, refused.value.code) == ("unavailable", "broker")


@pytest.mark.parametrize("error", [RuntimeError("a defect"), asyncio.CancelledError(), KafkaTimeoutError()])
def test_whatever_ends_an_append_that_nobody_waits_for_is_counted_and_its_id_is_free_again(
    producers, monkeypatch, error
):
    offsets = []

    async def check():
        appender = RequestAppender("127.0.0.1:1")

        async def fail(*_):
            raise error

        monkeypatch.setattr(appender._producer, "get", fail)
        assert appender.append_later(TASK, "k", b"{}", offsets.append)
        await settle()
        return appender

    assert asyncio.run(check()).failed == 1
    assert offsets == [None]


def test_what_the_broker_has_not_acknowledged_at_the_end_is_counted_as_failed(producers, monkeypatch):
    monkeypatch.setattr(headrace.app.serving.request_appender, "APPEND_SECONDS", 0.01)
    offsets = []

    async def check():
        appender = RequestAppender("127.0.0.1:1")
        appender.append_later(TASK, "k", b"{}", offsets.append)
        await settle()
        await appender.stop()
        await settle()
        return appender

    assert asyncio.run(check()).failed == 1
    assert offsets == [None]


def test_a_record_that_is_too_large_is_in_no_others_way(producers, monkeypatch):
    offsets = {}

    async def check():
        appender = RequestAppender("127.0.0.1:1")
        producer = await appender._producer.get()
        send = producer.send

        async def refuse_large(topic, value, **where):
            if len(value) > 10:
                raise MessageSizeTooLargeError
            return await send(topic, value, **where)

        monkeypatch.setattr(producer, "send", refuse_large)
        for name, record in (("a", b"{}"), ("b", b"large" * 9), ("c", b"{}")):
            appender.append_later(TASK, "k", record, partial(offsets.__setitem__, name))
        await settle()
        for sent in producers[0].sent:
            sent.set_result(AT)
        await settle()
        return appender, len(producers)

    appender, count = asyncio.run(check())
    assert (appender.appended, appender.failed, count) == (2, 1, 1)
    assert offsets == {"a": 7, "b": None, "c": 7}
