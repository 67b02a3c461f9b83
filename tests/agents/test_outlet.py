"""The outlet: what the broker refuses or does not acknowledge is told again, through a producer that can."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, TopicAuthorizationFailedError

import tables.producer
from agents.outlet import CUT, KafkaOutlet
from learning.effects import Alert, Quarantined


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


def run(check, refuses, monkeypatch):
    taken = []

    async def start(brokers, **options):
        return Producer(taken, refuses)

    monkeypatch.setattr(tables.producer, "start_producer", start)
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
