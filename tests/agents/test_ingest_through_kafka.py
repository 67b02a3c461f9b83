"""A team's own topic through a worker and Kafka: what it takes, what it refuses, and what it says when it cannot go on."""

import asyncio
import json
import uuid

import harness
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from headrace.agents.positions import Positions, Start
from headrace.learning.errors import LogError
from headrace.learning.records.mark import Mark
from headrace.learning.task import Task
from headrace.learning.task.source import Source
from headrace.tables.kafka.appender import Appender, NewMessage
from headrace.tables.kafka.log import KafkaEventLog
from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import Topic, connect, prepare, topics_of

SOURCE = '[[tasks.{task}.sources]]\ntopic = "{topic}"\nlabel = "y"\nfeatures = "x"\n'


@pytest.fixture
def names(broker):
    run = uuid.uuid4().hex[:8]
    asyncio.run(prepare(broker, [Topic(f"rows-{run}", 1, {})]))
    return f"own-{run}", f"rows-{run}"


def toml_of(task, topic):
    return f'[tasks.{task}]\nkind = "binary"\n' + SOURCE.format(task=task, topic=topic)


def row(number, **more):
    return json.dumps({"x": {"a": number} | more, "y": True}).encode()


def sources(worker, task):
    return (worker.get(f"/v1/{task}") or {"sources": {}})["sources"]


def wait_mapped(worker, task, position):
    def is_mapped():
        return [part["position"] for part in sources(worker, task).get("partitions", [])] == [position]

    harness.wait_for(is_mapped, 40, lambda: f"mapped up to {position}; {sources(worker, task)}\n{worker.log()[-2000:]}")


def test_a_record_that_the_event_log_does_not_take_is_quarantined_and_holds_nothing_up(broker, names, tmp_path):
    task, topic = names
    long = {f"f{number}": "x" * 4_000 for number in range(280)}

    async def send():
        # Compressed, it gets through the limit of the source; the event log takes it only as large as it is.
        async with producing(broker, compression_type="gzip", max_request_size=4 << 20) as producer:
            for value in (row(0), row(1, **long), row(2), b"[]"):
                await producer.send_and_wait(topic, value, key=b"k", partition=0)

    asyncio.run(send())
    worker = harness.Worker(tmp_path, broker, toml_of(task, topic)).start()
    try:
        worker.wait_ready()
        wait_mapped(worker, task, 4)
        told = sources(worker, task)
        assert (told["mapped"], told["rejected"], told["left_out"]) == (2, 2, 0)
        found = asyncio.run(harness.read_records(broker, f"{task}.events"))
        assert [json.loads(message.value)["source"] for message in found] == [f"{topic}/0/0", f"{topic}/0/2"]
        large, empty = asyncio.run(harness.read_all(broker, f"{task}.quarantine"))
        headers = {name: value.decode() for name, value in large.headers}
        assert (headers["code"], headers["topic"], headers["offset"]) == ("too_large", topic, "1")
        assert len(large.value) > 1 << 20
        assert large.key == b"k"
        assert dict(empty.headers)["code"] == b"incomplete"
        assert empty.value == b"[]"
    finally:
        worker.stop("SIGKILL")


def test_tombstones_are_left_out_and_counted_and_nothing_is_refused(broker, names, tmp_path):
    task, topic = names
    asyncio.run(harness.append(broker, topic, [(0, row(0)), (0, None), (0, row(1)), (0, None)]))
    worker = harness.Worker(tmp_path, broker, toml_of(task, topic)).start()
    try:
        worker.wait_ready()
        wait_mapped(worker, task, 4)
        told = sources(worker, task)
        assert (told["mapped"], told["left_out"], told["rejected"]) == (2, 2, 0)
        assert "2 mapped, 2 left out, 0 rejected" in worker.run("status", task).stdout
    finally:
        worker.stop("SIGKILL")


def test_a_task_that_comes_to_the_worker_does_not_make_it_map_anew_what_it_has_mapped(broker, names, tmp_path):
    task, topic = names
    asyncio.run(harness.append(broker, topic, [(0, row(number)) for number in range(50)]))
    worker = harness.Worker(tmp_path, broker, toml_of(task, topic)).start()
    try:
        worker.wait_ready()
        wait_mapped(worker, task, 50)
        worker.stop("SIGTERM")
        worker.config.write_text(worker.config.read_text() + toml_of(f"other-{task}", topic))
        asyncio.run(harness.append(broker, topic, [(0, row(number)) for number in range(50, 60)]))
        worker.start().wait_ready()
        wait_mapped(worker, task, 60)
        wait_mapped(worker, f"other-{task}", 60)
        for name in (task, f"other-{task}"):
            assert len(asyncio.run(harness.read_records(broker, f"{name}.events"))) == 60
    finally:
        worker.stop("SIGKILL")


def test_records_that_are_gone_before_they_were_mapped_stop_the_intake_with_what_to_do(broker, names, tmp_path):
    task, topic = names
    asyncio.run(harness.append(broker, topic, [(0, row(number)) for number in range(10)]))
    worker = harness.Worker(tmp_path, broker, toml_of(task, topic)).start()
    try:
        worker.wait_ready()
        wait_mapped(worker, task, 10)
        worker.stop("SIGTERM")
        asyncio.run(harness.append(broker, topic, [(0, row(number)) for number in range(10)]))
        asyncio.run(delete_before(broker, topic, 15))
        worker.start().wait_ready()
        harness.wait_for(lambda: sources(worker, task)["partitions"][0]["state"] == "stopped", 30, "stopped")
        error = sources(worker, task)["partitions"][0]["error"]
        assert "offset 10 must be mapped next, but the topic has only 15 and later" in error
        assert f"--group headrace-{task}.sources" in error
    finally:
        worker.stop("SIGKILL")


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("count", [10, 100])
def test_a_source_that_is_made_anew_stops_the_intake_before_any_of_it_is_mapped(
    broker, names, tmp_path, running, count
):
    task, topic = names
    asyncio.run(harness.append(broker, topic, [(0, row(number)) for number in range(50)]))
    worker = harness.Worker(tmp_path, broker, toml_of(task, topic)).start()
    try:
        worker.wait_ready()
        wait_mapped(worker, task, 50)
        if not running:
            worker.stop("SIGTERM")
        asyncio.run(make_anew(broker, topic, [(0, row(-number)) for number in range(count)]))
        if not running:
            worker.start().wait_ready()

        def parts():
            return sources(worker, task)["partitions"]

        harness.wait_for(lambda: [part["state"] for part in parts()] == ["stopped"], 60, lambda: f"stopped; {parts()}")
        (part,) = parts()
        if (
            part["partition"] == "*"
        ):  # the group gives nobody a topic that was deleted, and may be late to know of the new one
            assert running
        else:
            assert part["position"] == 50
            assert part["end"] in (0, count)  # as it was when the intake stopped: perhaps before the rows came
        assert "needs a name of its own" in part["error"]
        assert len(asyncio.run(harness.read_records(broker, f"{task}.events"))) == 50
        harness.wait_for(  # the topic that went and came has every partition assigned anew
            lambda: [shard["state"] for shard in worker.get(f"/v1/{task}")["shards"]] == ["live"],
            20,
            "the shard is live",
        )
    finally:
        worker.stop("SIGKILL")


async def make_anew(broker, topic, rows):
    """Delete a topic and make it anew with these rows. A client may see that it is gone, or that it is empty."""
    admin = await connect(broker)
    try:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():
            await asyncio.sleep(0.02)
        await prepare(broker, [Topic(topic, 1, {})])
        await harness.append(broker, topic, rows)
    finally:
        await admin.close()


def test_a_mark_is_compared_with_what_the_topic_holds(broker, names):
    _, topic = names

    async def compare():
        messages, log = await harness.read_all(broker, topic), KafkaEventLog(topic, broker)
        fits = [await log.holds(0, Mark.of(message)) for message in messages]
        assert fits == [True] * 20
        for other in (Mark(5, messages[5].timestamp, "0" * 64), Mark(20, 0, ""), Mark(500, 0, "")):
            assert not await log.holds(0, other)
        if harness.has_kafka():
            await delete_before(broker, topic, 10)
            assert await log.holds(0, Mark(5, 0, ""))  # it cannot be told
        await log.stop()

    asyncio.run(harness.append(broker, topic, [(0, row(number)) for number in range(20)]))
    asyncio.run(compare())


def test_a_position_is_kept_with_its_mark(broker, names):
    task, topic = names

    async def keep():
        await prepare(
            broker, topics_of(Task(name=task, kind="binary", sources=[Source(topic=topic, label="y", features="x")]))
        )
        first, second = (Mark(offset, 1_700_000_000_000, "f" * 64) for offset in (40, 41))
        positions = Positions(task, broker)
        assert await positions.start(topic, 0) == Start(0, 0)
        await positions.commit(topic, 0, 41, first)
        await positions.commit(topic, 0, 43, second)
        await positions.stop()
        positions = Positions(task, broker)
        has_metadata = harness.has_kafka()  # the embedded broker keeps none
        assert await positions.start(topic, 0) == Start(43, 0, second if has_metadata else None)
        await positions.stop()
        if harness.has_kafka():
            await make_anew(broker, topic, [(0, row(0))])  # with which Kafka forgets the offset
            positions = Positions(task, broker)
            assert await positions.start(topic, 0) == Start(41, 0, first)
            await positions.commit(topic, 0, 7, None)  # as a reset by hand does
            assert await positions.start(topic, 0) == Start(7, 0, None)
            await positions.stop()

    asyncio.run(keep())


def test_a_log_that_retention_cuts_while_it_is_read_says_so_and_passes_nothing_over(broker, names):
    _, topic = names

    async def check():
        taken = []

        async def read():
            async for message in KafkaEventLog(topic, broker).read(0, 0, 400):
                if not taken:
                    await delete_before(broker, topic, 399)
                taken.append(message.offset)

        with pytest.raises(LogError, match="the broker has only 399 and later"):
            await read()
        assert taken == list(range(len(taken)))
        assert 0 < len(taken) < 399

    asyncio.run(harness.append(broker, topic, [(0, bytes(20_000))] * 400))
    asyncio.run(check())


async def delete_before(broker, topic, offset):
    from aiokafka import TopicPartition
    from aiokafka.admin.records_to_delete import RecordsToDelete

    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


def test_a_worker_does_not_start_without_its_source(broker, tmp_path):
    worker = harness.Worker(tmp_path, broker, toml_of(f"own-{uuid.uuid4().hex[:8]}", "nowhere")).start()
    try:
        assert worker.process.wait(40) != 0
        assert "the source topic nowhere is missing" in worker.log()
    finally:
        worker.stop("SIGKILL")


def test_the_appender_keeps_the_order_and_names_what_is_too_large(broker, names):
    _, topic = names
    sizes = [10, 300_000, 2 << 20, 10, 200_000, 200_000, 20 << 20, 10]

    async def append():
        appender = Appender(topic, broker)
        refused = await appender.append(
            [NewMessage(0, b"%d" % number, bytes(size)) for number, size in enumerate(sizes)]
        )
        await appender.stop()
        return refused

    assert asyncio.run(append()) == [2, 6]
    assert [int(message.key) for message in asyncio.run(harness.read_all(broker, topic))] == [0, 1, 3, 4, 5, 7]
