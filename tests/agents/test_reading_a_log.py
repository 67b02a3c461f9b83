"""A range of the log that is read without a group: what becomes of it when the log changes meanwhile."""

import asyncio
import time
from contextlib import aclosing, asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError

from headrace.learning.errors import LogError
from headrace.tables.kafka import log as module
from headrace.tables.kafka.log import KafkaEventLog


class Consumer:
    """One partition, fetched message by message; `then` is called before each fetch with the number of messages fetched."""

    def __init__(self, count, then=lambda consumer, fetched: None):
        self.first, self.end, self.at, self.then = 0, count, 0, then

    def assign(self, shards):
        pass

    def seek(self, shard, offset):
        self.at = offset

    async def position(self, shard):
        return self.at

    async def beginning_offsets(self, shards):
        return dict.fromkeys(shards, self.first)

    async def ends(self, partitions):
        return dict.fromkeys(partitions, self.end)

    async def getmany(self, shard, timeout_ms, max_records):
        self.then(self, self.at)
        if self.at >= self.end:
            return {}
        self.at += 1
        return {shard: [SimpleNamespace(offset=self.at - 1, timestamp=0, key=None, value=b"x")]}


def read(monkeypatch, consumer, end):
    """The offsets of [0, end)."""

    @asynccontextmanager
    async def consuming(*_, **__):
        yield consumer

    async def run():
        log = KafkaEventLog("ads.events", "nowhere:1")
        log._asker = consumer
        async with aclosing(log.read(0, 0, end)) as messages:
            return [message.offset async for message in messages]

    monkeypatch.setattr(module, "consuming", consuming)
    return asyncio.run(asyncio.wait_for(run(), 10))


def test_the_whole_range_is_read(monkeypatch):
    assert read(monkeypatch, Consumer(30), 20) == list(range(20))


def test_a_log_that_becomes_shorter_meanwhile_is_a_failure_and_no_hole(monkeypatch):
    def cut(consumer, fetched):
        if fetched == 5:
            consumer.end = 5

    with pytest.raises(KafkaError, match=r"ads\.events/0 has become shorter than 20"):
        read(monkeypatch, Consumer(30, cut), 20)


def test_after_a_pause_the_log_must_still_have_the_last_message(monkeypatch):
    def pause(consumer, fetched):
        if fetched == 5:
            time.sleep(module.QUIET_SECONDS + 0.05)

    asked = []

    async def holds(self, partition, mark):
        asked.append(mark.offset)
        return False

    monkeypatch.setattr(KafkaEventLog, "holds", holds)
    with pytest.raises(LogError, match="another message at offset 4"):
        read(monkeypatch, Consumer(30, pause), 20)
    assert asked == [4]


def test_what_retention_has_removed_is_not_passed_over(monkeypatch):
    consumer = Consumer(30)
    consumer.first = 3
    with pytest.raises(LogError, match="offset 0 must be folded next, but the broker has only 3 and later"):
        read(monkeypatch, consumer, 20)
