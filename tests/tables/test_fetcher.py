"""A consumer asks a broker often while messages come, and seldom otherwise."""

import asyncio

import pytest
from aiokafka.consumer.fetcher import Fetcher

from headrace.tables.kafka.clients import Brokers, consuming
from headrace.tables.kafka.fetcher import BUSY_MS, BUSY_SECONDS, IDLE_MS, PacedFetcher


class Loop:
    now = 0.0

    def time(self):
        return self.now


@pytest.fixture
def fetcher(monkeypatch):
    """A fetcher without a broker, with a clock, whose next fetch brings what `has_messages` says."""

    def init(self, *, fetch_max_wait_ms):
        self._loop, self._fetch_max_wait_ms, self.has_messages = Loop(), fetch_max_wait_ms, False

    async def fetch(self, _assignment, _node_id, _request):
        return self.has_messages

    monkeypatch.setattr(Fetcher, "__init__", init)
    monkeypatch.setattr(Fetcher, "_proc_fetch_request", fetch)

    def wait_after(made, now, has_messages):
        made._loop.now, made.has_messages = now, has_messages
        assert asyncio.run(made._proc_fetch_request(None, 1, None)) is has_messages
        return made._fetch_max_wait_ms

    return wait_after


def test_the_wait_is_short_while_messages_come_and_long_when_none_have_come_for_a_while(fetcher):
    made = PacedFetcher(fetch_max_wait_ms=1500)
    assert made._fetch_max_wait_ms == BUSY_MS, "a consumer that begins has something to read"
    assert fetcher(made, BUSY_SECONDS / 2, False) == BUSY_MS
    assert fetcher(made, BUSY_SECONDS, False) == IDLE_MS
    assert fetcher(made, 10.0, True) == BUSY_MS
    assert fetcher(made, 10.0 + BUSY_SECONDS / 2, False) == BUSY_MS
    assert fetcher(made, 10.0 + BUSY_SECONDS, False) == IDLE_MS


@pytest.mark.parametrize(("own", "busy", "idle"), [(50, BUSY_MS, 50), (5, 5, 5)])
def test_a_shorter_wait_of_a_consumer_counts(fetcher, own, busy, idle):
    made = PacedFetcher(fetch_max_wait_ms=own)
    assert (fetcher(made, 0.0, True), fetcher(made, BUSY_SECONDS, False)) == (busy, idle)


def test_every_consumer_fetches_so(broker):
    async def fetcher_of_one():
        async with consuming(Brokers(broker)) as consumer:
            return consumer._fetcher

    assert isinstance(asyncio.run(fetcher_of_one()), PacedFetcher)
