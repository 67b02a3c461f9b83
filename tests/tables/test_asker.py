"""The asker: looks at single messages of a real broker, and where a partition begins and ends."""

import asyncio
import uuid
from types import SimpleNamespace

import harness
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from headrace.learning.records.mark import Mark
from headrace.tables.kafka.asker import Asker
from headrace.tables.kafka.clients import Brokers, ClientEndedError
from headrace.tables.kafka.topics import Topic, prepare


@pytest.fixture
def topic(broker):
    name = f"asked-{uuid.uuid4().hex[:8]}"
    asyncio.run(prepare(broker, [Topic(name, 2, {})]))
    return name


def look(broker, topic, *offsets, partition=0):
    async def run():
        asker = Asker(topic, Brokers.of(broker))
        try:
            return [await asker.look(partition, offset) for offset in offsets]
        finally:
            await asker.stop()

    return asyncio.run(run())


def test_a_message_is_found_at_its_offset_with_the_end_of_the_partition(broker, topic):
    asyncio.run(harness.append(broker, topic, [(0, b"%d" % number) for number in range(20)]))
    messages = asyncio.run(harness.read_all(broker, topic))
    looks = look(broker, topic, 0, 7, 19, 7)
    assert [seen.end for seen in looks] == [20] * 4
    assert [Mark.of(seen.message) for seen in looks] == [Mark.of(messages[at]) for at in (0, 7, 19, 7)]


def test_beyond_the_end_there_is_no_message_and_the_end_is_told(broker, topic):
    asyncio.run(harness.append(broker, topic, [(0, b"%d" % number) for number in range(5)]))
    assert look(broker, topic, 5, 500, -1) == [(0, 5, None)] * 3
    assert look(broker, topic, 0, 3, partition=1) == [(0, 0, None)] * 2


@pytest.mark.skipif(not harness.has_kafka(), reason="the embedded broker cannot delete records")
def test_a_message_that_retention_has_removed_is_known_by_the_first_that_is_left(broker, topic):
    async def delete():
        admin = AIOKafkaAdminClient(bootstrap_servers=broker)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=4)})
        finally:
            await admin.close()

    asyncio.run(harness.append(broker, topic, [(0, b"%d" % number) for number in range(9)]))
    asyncio.run(delete())
    gone, there = look(broker, topic, 2, 4)
    assert gone == (4, 9, None)
    assert there.message.value == b"4"


def test_a_client_that_has_ended_is_not_asked_for_ever():
    """It would find nothing, ten seconds long, as if the broker did not answer."""

    class Ended:
        _closed = False

        def __init__(self, task):
            self._fetcher = SimpleNamespace(_fetch_task=task)

        def assign(self, shards): ...

        def seek(self, shard, offset): ...

        def assignment(self):
            return ()

        async def position(self, shard):
            return 0

        async def getmany(self, *shards, **options):
            await asyncio.sleep(0)
            return {}

    async def run():
        async def fail():
            raise RuntimeError("a defect")

        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        asker = Asker("ads.events", Brokers("127.0.0.1:1"))
        with pytest.raises(ClientEndedError, match="a defect"):
            await asyncio.wait_for(asker._fetch(Ended(task), TopicPartition("ads.events", 0), 0), 5)

    asyncio.run(run())
