"""Topics are made as they must be, and refused when they are there but wrong."""

import asyncio
import uuid

import msgspec
import pytest
from aiokafka.admin import NewTopic

from learning.errors import BrokerError, TopicError
from learning.task import Stored, Task
from tables.topics import connect, find_problems, prepare, topics_of


@pytest.fixture
def task():
    return Task(name=f"topics-{uuid.uuid4().hex[:8]}", kind="binary", partitions=2)


async def make(broker, *topics):
    admin = await connect(broker)
    await admin.create_topics(list(topics))
    await admin.close()


def test_missing_topics_are_made_and_a_second_time_found_right(broker, task):
    asyncio.run(prepare(broker, topics_of(task)))
    asyncio.run(prepare(broker, topics_of(task)))


def test_a_topic_with_other_partitions_is_refused_with_a_remedy(broker, task):
    asyncio.run(make(broker, NewTopic(task.events, 3, 1)))
    with pytest.raises(TopicError, match="has 3 partitions, not 2. Set partitions = 3"):
        asyncio.run(prepare(broker, topics_of(task)))


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
