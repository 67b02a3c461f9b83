"""The private members of Faust that are used: each is there, and does what the transport relies upon."""

import asyncio
import inspect
from types import SimpleNamespace

import aiokafka.consumer.group_coordinator
import faust
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError, IllegalStateError
from faust.tables.manager import TableManager
from faust.transport.consumer import Consumer as AnyConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from headrace.agents.learn import LearningApp
from headrace.agents.poll import QUIET_SECONDS, Backlog, Poll, PollConsumer, PollThread, PollTransport
from headrace.tables.kafka.clients import Brokers


def test_faust_is_the_version_whose_private_members_are_known():
    assert faust.__version__ == "0.15.3"


def test_the_private_members_are_there():
    assert inspect.iscoroutinefunction(AnyConsumer._wait_next_records)
    assert inspect.iscoroutinefunction(driver.AIOKafkaConsumerThread._commit)
    assert inspect.iscoroutinefunction(ThreadDelegateConsumer._commit)
    assert callable(driver.Consumer._new_consumer_thread)
    assert callable(driver.AIOKafkaConsumerThread._create_worker_consumer)
    assert callable(faust.App._new_transport)
    assert inspect.iscoroutinefunction(TableManager._update_channels)


def test_an_app_uses_the_poll_transport():
    app = LearningApp("test", buffer_bytes=1 << 20, broker="kafka://127.0.0.1:1", store="memory://")
    assert isinstance(app._new_transport(), PollTransport)
    assert PollTransport.Consumer is PollConsumer


def test_nothing_is_waited_for_before_the_group_is_joined(monkeypatch):
    async def start():
        app, waited = LearningApp("test", buffer_bytes=1 << 20, broker="kafka://127.0.0.1:1", store="memory://"), []
        app.consumer = SimpleNamespace(assignment=set, pause_partitions=lambda _: None)

        async def sleep(seconds):
            waited.append(seconds)

        monkeypatch.setattr(app.tables, "sleep", sleep)
        await app.tables.on_start()
        await app.tables.wait_until_tables_registered()  # what Faust waits for before it subscribes
        await app.tables.recovery.stop()
        return waited

    assert asyncio.run(start()) == []
    assert "await self.sleep(1.0)" in inspect.getsource(TableManager.on_start)


def test_the_consumer_of_faust_reads_committed_records_only(monkeypatch):
    class Consumer:
        _isolation_level = "read_uncommitted"

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer", lambda self, transport: Consumer())
    thread = object.__new__(PollThread)
    assert PollThread._create_worker_consumer(thread, None)._isolation_level == "read_committed"


def test_the_isolation_level_is_where_aiokafka_reads_it_when_it_starts():
    async def make():
        return Brokers("127.0.0.1:1").consumer()

    assert asyncio.run(make())._isolation_level == "read_committed"
    assert "isolation_level=self._isolation_level" in inspect.getsource(AIOKafkaConsumer.start)


def test_a_refused_commit_does_not_end_the_worker():
    class Refusing:
        async def commit(self, offsets):
            raise CommitFailedError("already rebalanced")

    thread = object.__new__(PollThread)
    thread._consumer = Refusing()
    thread.assignment = lambda: {TP("t", 0)}
    assert asyncio.run(PollThread._commit(thread, {TP("t", 0): 5})) is False


def busy_thread(made):
    """A consumer's thread as it is under load ten minutes after its start, without a commit of Faust's own."""
    logged = []
    state = SimpleNamespace(highwater=100, position=50, timestamp=600_000)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    thread = object.__new__(made)
    thread._consumer = SimpleNamespace(
        _fetcher=SimpleNamespace(_subscriptions=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment)))
    )
    app = SimpleNamespace(
        monitor=SimpleNamespace(stream_inbound_time={TP("t", 0): 600.0}),
        topics=SimpleNamespace(acks_enabled_for=lambda topic: True),
        conf=SimpleNamespace(broker_commit_livelock_soft_timeout=300.0),
    )
    thread.consumer, thread.log = SimpleNamespace(app=app), SimpleNamespace(error=lambda *line: logged.append(line))
    thread.time_started, thread.tp_last_committed_at = 0.0, {}
    thread.tp_fetch_request_timeout_secs = thread.tp_stream_timeout_secs = thread.tp_commit_timeout_secs = 300.0
    thread.verify_event_path(600.0, TP("t", 0))
    return logged


def test_a_busy_partition_is_not_reported_as_a_bug():
    (line,) = busy_thread(driver.AIOKafkaConsumerThread)
    assert "report as bug" in line[0], "Faust's own looks at commits that are not made here"
    assert busy_thread(PollThread) == []


def test_a_consumer_that_fails_to_close_does_not_hold_up_its_thread(monkeypatch):
    async def fail(self):
        raise asyncio.CancelledError  # aiokafka's fetcher does, when the broker is away

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_thread_stop", fail)
    asyncio.run(PollThread.on_thread_stop(object.__new__(PollThread)))


def test_a_partition_taken_away_while_flow_is_stopped_does_not_end_the_worker():
    """The group takes a partition away between a poll, which is thrown away, and the seek back to it."""
    app = LearningApp("test", buffer_bytes=1 << 20, broker="kafka://127.0.0.1:1", store="memory://")

    async def poll():
        async def nothing(*_):
            return {}, set()

        async def taken_away():
            raise IllegalStateError("No current assignment for partition")

        consumer = app._new_transport().create_consumer(
            nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
        )
        consumer._wait_next_records, consumer.seek_to_committed = nothing, taken_away
        consumer.stop_flow()
        return [polled async for polled in consumer.getmany(timeout=1.0)]

    assert asyncio.run(poll()) == []


@pytest.mark.parametrize("mutant", [False, True])
def test_polls_that_jump_over_offsets_leave_nothing_behind(mutant, monkeypatch):
    if mutant:
        monkeypatch.delattr(PollConsumer, "_add_gap")
    app = LearningApp("test", buffer_bytes=1 << 20, broker="kafka://127.0.0.1:1", store="memory://")
    app.topic("t")

    async def drain():
        polled = []

        async def callback(message):
            polled.append(message.offset)

        consumer = app._new_transport().create_consumer(
            callback, on_partitions_revoked=callback, on_partitions_assigned=callback
        )
        fetcher, tp = SimpleNamespace(_stopped=asyncio.Event()), TP("t", 0)

        async def getmany(timeout):
            for offset in range(99, 1000, 100):
                yield tp, SimpleNamespace(offset=offset, topic="t")
            fetcher._stopped.set()

        consumer.getmany = getmany
        monkeypatch.setattr(app.topics, "acks_enabled_for", lambda topic: True)
        await consumer._drain_messages(fetcher)
        assert polled == list(range(99, 1000, 100))
        return len(consumer._gap[tp])

    assert asyncio.run(drain()) == (9 if mutant else 0)


def test_room_is_free_again_when_a_poll_is_gone_whoever_dropped_it():
    backlog = Backlog(limit=10)
    polls = [Poll([1], size=6, backlog=backlog) for _ in range(2)]
    assert backlog.is_full
    polls.clear()
    assert backlog.size == 0


PARTS = {
    "_coordinator": ("_coordination_task", aiokafka.consumer.group_coordinator.GroupCoordinator),
    "_fetcher": ("_fetch_task", aiokafka.consumer.fetcher.Fetcher),
    "_client": ("_sync_task", aiokafka.client.AIOKafkaClient),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_client_one_of_whose_tasks_has_ended_ends_the_worker(monkeypatch, part):
    """aiokafka logs an unexpected error, and a consumer without a word more never gets anything."""
    app, crashes = LearningApp("test", buffer_bytes=1 << 20, broker="kafka://127.0.0.1:1", store="memory://"), []
    name, kind = PARTS[part]

    async def crash(error):
        crashes.append(str(error))

    async def fail():
        raise AssertionError("Received an assignment for unsubscribed topic")

    async def watch():
        async def nothing(*_):
            return {}, set()

        consumer = app._new_transport().create_consumer(
            nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
        )
        app.crash, app.consumer = crash, consumer
        running = asyncio.create_task(asyncio.sleep(60))
        holder = SimpleNamespace(**{name: running})
        client = SimpleNamespace(**{part: holder}, _closed=False)
        consumer._thread = SimpleNamespace(_consumer=client)
        assert consumer.find_failure() is None
        setattr(holder, name, asyncio.create_task(fail()))
        await app.watch_group()
        running.cancel()
        client._closed = True
        assert consumer.find_failure() is None

    asyncio.run(watch())
    (error,) = crashes
    assert "unsubscribed topic" in error
    assert f"self.{name} = " in inspect.getsource(kind)


def test_a_link_joins_polls_until_a_pause_or_a_new_connection(monkeypatch):
    now, connections = 100.0, {("one", 0): object(), ("two", 1): object()}
    monkeypatch.setattr("headrace.agents.poll.monotonic", lambda: now)
    consumer = object.__new__(PollConsumer)
    consumer._links, client = {}, SimpleNamespace(_conns=connections)
    consumer._thread = SimpleNamespace(_ensure_consumer=lambda: SimpleNamespace(_client=client))
    first = consumer._link_of(TP("t", 0))
    now += QUIET_SECONDS * 0.9
    assert consumer._link_of(TP("t", 0)) is first
    assert consumer._link_of(TP("t", 1)) is not first
    now += QUIET_SECONDS * 0.9
    assert consumer._link_of(TP("t", 0)) is first
    now += QUIET_SECONDS * 1.1
    second = consumer._link_of(TP("t", 0))
    assert second is not first
    connections["one", 0] = object()  # the broker has started again
    third = consumer._link_of(TP("t", 0))
    assert third is not second
    assert consumer._link_of(TP("t", 0)) is third
