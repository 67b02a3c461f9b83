"""The outlet: what the broker refuses or does not acknowledge is told again, through a producer that can."""

import asyncio

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from fakes.producer import Producer, starting

import headrace.agents.outlet
from headrace.agents.outlet import CUT, KafkaOutlet
from headrace.learning.effects import Alert, Quarantined


def quarantined(value):
    return Quarantined(id="t/0/0/0/0", code="label", reason="r", offset=0, row=0, key=None, value=value)


ALERT = Alert(id="t/0/1/0/0", code="c", detail="d", time=0.0)


def run(check, refuses, monkeypatch, away=()):
    """Check an outlet whose producers refuse what they are told to; `away` holds the errors of starting one, from the last on."""
    taken, away = [], list(away)

    def broker(records):
        if error := refuses(records[0].value):
            raise error
        taken.append(records[0].value)

    def make():
        if away and (error := away.pop()):
            raise error
        return Producer(broker, is_idempotent=True)

    starting(monkeypatch, make)
    asyncio.run(check(KafkaOutlet("t", "127.0.0.1:1"), taken))


def test_what_was_refused_is_told_again_when_the_cause_is_mended(monkeypatch):
    cause = [TopicAuthorizationFailedError("no right")]

    async def check(outlet, taken):
        await outlet.tell(0, [ALERT])
        for _ in range(2):
            with pytest.raises(TopicAuthorizationFailedError):
                await outlet.flush(0)
        cause.clear()
        with pytest.raises(TopicAuthorizationFailedError):
            await outlet.flush(0)
        await outlet.flush(0)
        assert len(taken) == 1

    run(check, lambda value: cause[0] if cause else None, monkeypatch)


def test_what_was_not_acknowledged_is_told_again_at_once(monkeypatch):
    errors = [KafkaTimeoutError(), KafkaTimeoutError()]

    async def check(outlet, taken):
        await outlet.tell(0, [ALERT])
        await outlet.flush(0)
        assert len(taken) == 1

    run(check, lambda value: errors.pop() if errors else None, monkeypatch)


def test_a_value_that_the_topic_does_not_take_is_cut_and_what_follows_is_told(monkeypatch):
    async def check(outlet, taken):
        await outlet.tell(0, [quarantined(bytes(CUT + 1)), ALERT])
        await outlet.flush(0)
        assert [len(value) == CUT for value in taken] == [True, False]

    run(check, lambda value: MessageSizeTooLargeError() if len(value) > CUT else None, monkeypatch)


def test_nothing_is_forgotten_while_no_producer_can_be_had(monkeypatch):
    errors = [KafkaTimeoutError()]

    async def check(outlet, taken):
        values = [b"one", b"two", b"three"]
        await outlet.tell(0, [quarantined(value) for value in values])
        with pytest.raises(KafkaConnectionError):
            await outlet.flush(0)
        await outlet.flush(0)
        assert taken == values

    run(check, lambda value: errors.pop() if errors else None, monkeypatch, away=[KafkaConnectionError(), None])


def slow(monkeypatch, check):
    """Check an outlet whose records are acknowledged when the check says so."""
    producer = Producer(acknowledges=False)
    starting(monkeypatch, lambda: producer)
    asyncio.run(check(KafkaOutlet("t", "127.0.0.1:1"), producer.sent))


def test_a_flush_that_is_cancelled_takes_nothing_along(monkeypatch):
    async def check(outlet, sent):
        await outlet.tell(0, [ALERT])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outlet.flush(0), 0.01)
        sent[0].set_result(None)
        await outlet.flush(0)
        assert len(sent) == 1

    slow(monkeypatch, check)


def test_a_flush_waits_only_for_what_was_told_before_it(monkeypatch):
    """Under a load that never pauses there is always something that the broker has not acknowledged yet."""

    async def check(outlet, sent):
        await outlet.tell(0, [ALERT])
        flushing = asyncio.create_task(outlet.flush(0))
        await asyncio.sleep(0)
        await outlet.tell(0, [ALERT])
        sent[0].set_result(None)
        await asyncio.wait_for(flushing, 10)
        assert not sent[1].done()

    slow(monkeypatch, check)


def test_what_is_told_waits_while_much_is_under_way_and_what_the_broker_has_is_not_kept(monkeypatch):
    monkeypatch.setattr(headrace.agents.outlet, "UNACKNOWLEDGED_MAX", 1000)

    async def check(outlet, sent):
        await outlet.tell(0, [quarantined(bytes(1001))])
        telling = asyncio.create_task(outlet.tell(0, [ALERT]))
        await asyncio.sleep(0.01)
        assert len(sent) == 1
        sent[0].set_result(None)
        await telling
        assert len(sent) == 2
        for _ in range(100):
            sent[-1].set_result(None)
            await outlet.tell(0, [ALERT])
        assert len(outlet._unacknowledged[0].messages) == 1

    slow(monkeypatch, check)


def test_what_is_too_large_for_the_client_is_cut_too(monkeypatch):
    producer = Producer(value_max=CUT)

    async def check(outlet):
        await outlet.tell(0, [quarantined(bytes(CUT + 1)), ALERT])
        await outlet.flush(0)
        assert sorted(len(record.value) == CUT for record in producer.records) == [False, True]

    starting(monkeypatch, lambda: producer)
    asyncio.run(check(KafkaOutlet("t", "127.0.0.1:1")))
