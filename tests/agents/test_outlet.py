"""The outlet: what the broker refuses or does not acknowledge is told again, through a producer that can."""

import asyncio

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)

import headrace.agents.outlet
import headrace.tables.kafka.producer
from headrace.agents.outlet import CUT, KafkaOutlet
from headrace.learning.effects import Alert, Quarantined


class Producer:
    """Takes nothing any more once it has refused something, as an idempotent producer after a refusal does."""

    def __init__(self, taken, refuses):
        self.taken, self.refuses, self.is_spoilt = taken, refuses, False

    async def send(self, topic, value, key, partition, headers):
        sent = asyncio.get_running_loop().create_future()
        error = self.refuses(value)
        if error or self.is_spoilt:
            self.is_spoilt = True
            sent.set_exception(error or TopicAuthorizationFailedError("out of order"))
        else:
            self.taken.append(value)
            sent.set_result(None)
        return sent

    async def stop(self):
        pass


def quarantined(value):
    return Quarantined(id="t/0/0/0/0", code="label", reason="r", offset=0, row=0, key=None, value=value)


ALERT = Alert(id="t/0/1/0/0", code="c", detail="d", time=0.0)


def run(check, refuses, monkeypatch, away=()):
    """Check an outlet whose producers refuse what they are told to; `away` holds the errors of starting one, from the last on."""
    taken, away = [], list(away)

    async def start(brokers, **options):
        if away and (error := away.pop()):
            raise error
        return Producer(taken, refuses)

    monkeypatch.setattr(headrace.tables.kafka.producer, "start_producer", start)
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


class Slow(Producer):
    """Acknowledges when it is told to."""

    async def send(self, topic, value, key, partition, headers):
        sent = asyncio.get_running_loop().create_future()
        self.taken.append(sent)
        return sent


def slow(monkeypatch, check):
    sent = []

    async def start(brokers, **options):
        return Slow(sent, None)

    monkeypatch.setattr(headrace.tables.kafka.producer, "start_producer", start)
    asyncio.run(check(KafkaOutlet("t", "127.0.0.1:1"), sent))


def test_a_flush_that_is_cancelled_takes_nothing_along(monkeypatch):
    async def check(outlet, sent):
        await outlet.tell(0, [ALERT])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(outlet.flush(0), 0.01)
        sent[0].set_result(None)
        await outlet.flush(0)
        assert len(sent) == 1

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
    class Strict(Producer):
        async def send(self, topic, value, **options):
            if len(value) > CUT:
                raise MessageSizeTooLargeError
            return await super().send(topic, value, **options)

    taken = []

    async def start(brokers, **options):
        return Strict(taken, lambda value: None)

    async def check(outlet):
        await outlet.tell(0, [quarantined(bytes(CUT + 1)), ALERT])
        await outlet.flush(0)
        assert sorted(len(value) == CUT for value in taken) == [False, True]

    monkeypatch.setattr(headrace.tables.kafka.producer, "start_producer", start)
    asyncio.run(check(KafkaOutlet("t", "127.0.0.1:1")))
