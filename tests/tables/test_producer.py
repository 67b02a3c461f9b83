"""The producer that lasts: one for all who append, handed out at once, another after a failure."""

import asyncio

import pytest
import structlog
from aiokafka.errors import TopicAuthorizationFailedError, UnknownError
from fakes.producer import Producer, starting

import headrace.tables.kafka.producer
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import LastingProducer, start_producer


@pytest.fixture
def started(monkeypatch):
    return starting(monkeypatch, Producer)


def test_all_who_ask_at_once_are_handed_the_one_producer(started):
    async def check():
        lasting = LastingProducer("127.0.0.1:1")
        assert await asyncio.gather(*(lasting.get() for _ in range(10))) == started * 10
        assert len(started) == 1

    asyncio.run(check())


def test_once_started_nobody_who_asks_waits_for_another(started):
    """A lock would let one through at each turn of the loop: under load, those who append would wait for seconds."""

    async def check():
        lasting = LastingProducer("127.0.0.1:1")
        await lasting.get()
        turns, asking = 0, asyncio.gather(*(lasting.get() for _ in range(1000)))
        while not asking.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns < 10

    asyncio.run(check())


def test_one_that_has_failed_is_replaced_once_and_closed(started):
    async def check():
        lasting = LastingProducer("127.0.0.1:1")
        first = await lasting.get()
        for _ in range(2):  # two who appended through it see it fail, one after the other
            lasting.replace(first)
            second = await lasting.get()
        assert started == [first, second]
        await lasting.stop()
        assert first.is_stopped
        assert second.is_stopped

    asyncio.run(check())


def test_who_stops_waiting_for_the_closing_cuts_nothing_off(started, monkeypatch):
    async def check():
        ended = asyncio.Event()

        async def stop(producer):
            await ended.wait()
            producer.is_stopped = True

        monkeypatch.setattr(Producer, "stop", stop)
        lasting = LastingProducer("127.0.0.1:1")
        await lasting.get()
        impatient, patient = asyncio.create_task(lasting.stop()), asyncio.create_task(lasting.stop())
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        ended.set()
        await patient
        assert started[0].is_stopped

    asyncio.run(check())


def test_after_a_refusal_the_next_record_goes_through_another_producer(monkeypatch):
    def refuse(records):
        raise TopicAuthorizationFailedError

    started = starting(monkeypatch, lambda: Producer(None if started else refuse))

    async def check():
        lasting = LastingProducer("127.0.0.1:1")
        with pytest.raises(TopicAuthorizationFailedError):
            await lasting.append("t", b"first", partition=0)
        await lasting.append("t", b"second", partition=0)
        assert [record.value for record in started[1].records] == [b"second"]
        await lasting.stop()

    asyncio.run(check())


@pytest.mark.parametrize("cluster", ["headrace-embedded", "q1Sh-9_ISia_zwGINzRvyQ", None])
def test_only_the_embedded_broker_may_take_records_without_a_producer_id(monkeypatch, cluster):
    made = []

    class Refused(Producer):
        def __init__(self, enable_idempotence=False, **options):
            super().__init__()
            self.is_idempotent = enable_idempotence
            made.append(self)

        async def start(self):
            if self.is_idempotent:
                raise UnknownError

    async def ask(brokers):
        return cluster

    monkeypatch.setattr(headrace.tables.kafka.producer, "ask_cluster", ask)
    monkeypatch.setattr(Brokers, "producer", lambda _, **options: Refused(**options))
    with structlog.testing.capture_logs() as logs:
        if cluster == "headrace-embedded":
            assert not asyncio.run(start_producer("127.0.0.1:1")).is_idempotent
            assert not logs
        else:
            with pytest.raises(UnknownError):
                asyncio.run(start_producer("127.0.0.1:1"))
            assert [(line["log_level"], line["cluster"]) for line in logs] == [("error", cluster)]
            assert [one.is_idempotent for one in made] == [True], "no other one was tried"
    assert made[0].is_stopped
