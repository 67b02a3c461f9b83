"""Topics are made as they must be, and refused when they are there but wrong."""

import asyncio
import uuid

import harness
import msgspec
import pytest
from aiokafka.admin import NewPartitions, NewTopic

from headrace.learning.errors import BrokerError, TopicError
from headrace.learning.task import Stored, Task
from headrace.tables.kafka.metadata import TopicDescription, find_topics
from headrace.tables.kafka.topics import (
    PASSING,
    connect,
    find_lacking,
    find_miscounted,
    find_problems,
    prepare,
    topics_of,
)

real_kafka = pytest.mark.skipif(not harness.has_kafka(), reason="the embedded broker adds no partitions")


@pytest.fixture
def task():
    return Task(name=f"topics-{uuid.uuid4().hex[:8]}", kind="binary", partitions=2)


async def make(broker, *topics):
    admin = await connect(broker)
    await admin.create_topics(list(topics))
    await admin.close()


def test_missing_topics_are_made_and_a_second_time_found_right(broker, task):
    wanted = {topic.name: topic.partitions for topic in topics_of(task)}
    for _ in range(2):
        asyncio.run(prepare(broker, topics_of(task)))
        assert asyncio.run(counts(broker, wanted)) == wanted


def test_a_topic_with_other_partitions_is_refused_with_a_remedy(broker, task):
    asyncio.run(make(broker, NewTopic(task.events, 3, 1)))
    with pytest.raises(TopicError, match="events has 3 partitions, the task 2.*Set partitions = 3"):
        asyncio.run(prepare(broker, topics_of(task)))


async def counts(broker, topics):
    admin = await connect(broker)
    try:
        return {name: found.partitions for name, found in (await find_topics(admin, topics)).items()}
    finally:
        await admin.close()


async def add_partitions(broker, topic, count):
    admin = await connect(broker)
    await admin.create_partitions({topic: NewPartitions(count)})
    while (await find_topics(admin, [topic]))[
        topic
    ].partitions != count:  # acknowledged a moment before they are listed
        await asyncio.sleep(0.05)
    await admin.close()


@real_kafka
def test_partitions_added_to_the_log_are_refused_once_and_the_remedy_works(broker, task):
    names = [topic.name for topic in topics_of(task) if topic.task == task.name]
    asyncio.run(prepare(broker, topics_of(task)))
    asyncio.run(add_partitions(broker, task.events, 3))
    with pytest.raises(TopicError) as refused:
        asyncio.run(prepare(broker, topics_of(task)))
    assert f"{task.events} has 3 partitions, the task 2" in refused.value.what
    assert all(f"{name} 2" in refused.value.what for name in names[1:])
    assert "Set partitions = 3" in refused.value.remedy
    assert "delete" not in refused.value.remedy.lower()
    asyncio.run(prepare(broker, topics_of(msgspec.structs.replace(task, partitions=3))))
    assert asyncio.run(counts(broker, names)) == dict.fromkeys(names, 3)


@real_kafka
def test_a_task_of_more_partitions_than_its_log_has_two_ways_out(broker, task):
    asyncio.run(prepare(broker, topics_of(task)))
    wider = msgspec.structs.replace(task, partitions=4)
    with pytest.raises(TopicError, match=f"Set partitions = 2.*--alter --topic {task.events} --partitions 4"):
        asyncio.run(prepare(broker, topics_of(wider)))
    asyncio.run(prepare(broker, topics_of(task)))  # the first
    asyncio.run(add_partitions(broker, task.events, 4))  # the second
    asyncio.run(prepare(broker, topics_of(wider)))
    names = [topic.name for topic in topics_of(wider) if topic.task == task.name]
    assert set(asyncio.run(counts(broker, names)).values()) == {4}


@real_kafka
def test_two_workers_that_add_partitions_at_once_do_not_fail_each_other(broker, task):
    asyncio.run(make(broker, NewTopic(task.events, 2, 1), NewTopic(task.requests, 1, 1)))

    async def both():
        await asyncio.gather(*(prepare(broker, topics_of(task)) for _ in range(3)))

    asyncio.run(both())
    assert asyncio.run(counts(broker, [task.requests])) == {task.requests: 2}


def test_a_topic_beside_the_log_may_have_more_partitions_than_the_task(task):
    topics = topics_of(task)
    found = {topic.name: TopicDescription(topic.partitions) for topic in topics} | {task.requests: TopicDescription(5)}
    assert find_miscounted(topics, found) == []


def test_a_topic_beside_the_log_with_fewer_is_a_note_that_a_starting_worker_mends(task):
    topics = topics_of(task)
    found = {topic.name: TopicDescription(topic.partitions) for topic in topics}
    found[f"{task.name}.pending"] = TopicDescription(1)
    (problem,) = find_miscounted(topics, found)
    assert "pending has 1" in problem.what
    assert problem.code in PASSING
    # Where the log is wrong too, there is one error, and nothing is added beside it.
    (problem,) = find_miscounted(topics, found | {task.events: TopicDescription(3)})
    assert "Set partitions = 3" in problem.remedy
    assert find_lacking(topics, found | {task.events: TopicDescription(3)}) == []


def test_looking_a_topic_up_does_not_make_it(broker, task):
    for _ in range(2):
        assert asyncio.run(counts(broker, [task.events])) == {}


def test_a_topic_made_anew_has_another_id(broker, task):
    async def ids():
        admin = await connect(broker)
        await admin.create_topics([NewTopic(task.events, 1, 1)])
        found = []
        for _ in range(2):
            while not (described := await find_topics(admin, [task.events])):
                await asyncio.sleep(0.05)
            found.append(described[task.events].id)
            await admin.delete_topics([task.events])
            while await find_topics(admin, [task.events]):
                await asyncio.sleep(0.05)
            await admin.create_topics([NewTopic(task.events, 1, 1)])
        await admin.close()
        return found

    first, second = asyncio.run(ids())
    assert None not in (first, second)
    assert first != second


def test_a_compacted_event_log_is_refused(broker, task):
    asyncio.run(make(broker, NewTopic(task.events, 2, 1, topic_configs={"cleanup.policy": "compact"})))
    with pytest.raises(TopicError, match="cleanup.policy=compact, not delete"):
        asyncio.run(prepare(broker, topics_of(task)))


def test_an_uncompacted_changelog_is_refused(broker, task):
    asyncio.run(make(broker, NewTopic(f"{task.name}.snapshots", 2, 1)))
    with pytest.raises(TopicError, match="cleanup.policy=delete, not compact"):
        asyncio.run(prepare(broker, topics_of(task)))


def test_stored_features_have_one_compacted_topic_and_only_where_they_are_declared(broker, task):
    assert f"{task.name}.features" not in [topic.name for topic in topics_of(task)]
    task = msgspec.structs.replace(task, stored={"clicks": Stored()})
    asyncio.run(make(broker, NewTopic(f"{task.name}.features", 3, 1, topic_configs={"cleanup.policy": "compact"})))
    with pytest.raises(TopicError, match="features has 3 partitions, not 1. Delete it"):
        asyncio.run(prepare(broker, topics_of(task)))


def test_missing_topics_are_problems_for_the_doctor(broker, task):
    async def look():
        admin = await connect(broker)
        try:
            return await find_problems(admin, topics_of(task)[:1])
        finally:
            await admin.close()

    problems = asyncio.run(look())
    assert len(problems) == 1


def test_a_broker_that_is_not_there_is_an_error_with_a_remedy():
    with pytest.raises(BrokerError, match="Start it"):
        asyncio.run(connect("127.0.0.1:1"))
