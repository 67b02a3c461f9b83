"""Topics whose last batch holds several messages are read to their end, on the embedded broker too, which tells a wrong end of them."""

import asyncio
from contextlib import aclosing

import harness
import pytest

from headrace.tables.kafka.appender import Appender, NewMessage
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.latest import read_latest, read_whole
from headrace.tables.kafka.moment import read_moment
from headrace.tables.kafka.tail import tail
from headrace.tables.kafka.topics import Topic, prepare

VALUES = [b"v%d" % number for number in range(5)]


@pytest.fixture(scope="module")
def embedded():
    with harness.running_broker(real=False) as address:
        brokers = Brokers.of(address)
        asyncio.run(prepare(brokers, [Topic("batch", 2, {})]))
        asyncio.run(append(brokers))
        yield brokers


async def append(brokers):
    appender = Appender("batch", brokers)
    await appender.append([NewMessage(1, None, value, []) for value in VALUES])  # one batch
    await appender.stop()


def test_the_newest_messages_are_all_counted(embedded):
    latest = asyncio.run(read_latest(embedded, "batch", range(2), 100, most_bytes=1 << 20))
    assert [message.value for message in latest.messages] == VALUES[::-1]
    assert latest.kept == len(VALUES)


def test_a_topic_is_read_as_a_whole(embedded):
    async def read():
        return [message.value async for message in read_whole(embedded, "batch", range(2))]

    assert asyncio.run(read()) == VALUES


def test_the_tail_begins_with_the_last_messages(embedded):
    async def read(last):
        found = []
        async with aclosing(tail(embedded, "batch", 2, last)) as messages:
            async for message in messages:
                if message is None:
                    break
                found.append(message.value)
        return found

    assert asyncio.run(read(2)) == VALUES[-2:]
    assert asyncio.run(read(10)) == VALUES
    assert asyncio.run(read(0)) == []


def test_the_messages_of_a_moment_are_all_read(embedded):
    async def read():
        (first,) = {message.timestamp async for message in read_whole(embedded, "batch", range(2))}
        return [message.value async for message in read_moment(embedded, "batch", 1, first, 100)]

    assert asyncio.run(read()) == VALUES
