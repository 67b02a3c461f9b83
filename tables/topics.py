"""The topics that a task owns: made by the worker, or checked and refused when they are there but wrong."""

import asyncio
import re
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from learning.errors import BrokerError, TopicError
from learning.task import Task
from tables.kafka import Brokers

TOPIC_ALREADY_EXISTS = 36
MISSING = "missing_topic"
APPEAR_SECONDS = 0.05
APPEAR_ROUNDS = 200

COPIES = 3
"""Replicas of a new topic, where there are as many brokers."""

QUARANTINE_MAX = 16 << 20
"""Bytes: a quarantined record carries the whole of one that the event log took, and headers beside it."""


class Topic(msgspec.Struct, frozen=True):
    """What a topic must be. `wanted` settings are checked where the topic exists; `asked` ones only go into making it."""

    name: str
    partitions: int
    wanted: dict[str, str]
    asked: dict[str, str] = {}
    of_task: bool = True
    """Whether its partitions are the task's shards."""


def topics_of(task: Task) -> list[Topic]:
    """The topics of one task.

    Examples
    --------
    >>> [topic.name for topic in topics_of(Task(name="ads", kind="binary"))]
    ['ads.events', 'ads.requests', 'ads.predictions', 'ads.signals', 'ads.quarantine', 'ads.snapshots', 'ads.pending']
    """
    count, keep, compact = task.partitions, {"cleanup.policy": "delete"}, {"cleanup.policy": "compact"}
    forever = {
        "retention.ms": "-1",
        "retention.bytes": "-1",
    }  # the log is the truth: nothing of it is thrown away unasked
    topics = [
        Topic(task.events, count, keep, {"message.timestamp.type": "LogAppendTime"} | forever),
        Topic(task.requests, count, keep),
        Topic(f"{task.name}.predictions", count, keep),
        Topic(f"{task.name}.signals", count, keep),
        Topic(f"{task.name}.quarantine", count, keep, {"max.message.bytes": str(QUARANTINE_MAX)}),
        # Small segments, so that compaction, which leaves the newest one alone, has something to do.
        Topic(f"{task.name}.snapshots", count, compact, {"segment.bytes": str(64 << 20)}),
        Topic(f"{task.name}.pending", count, compact, {"segment.bytes": str(64 << 20)}),
    ]
    if task.stored:
        # Every worker follows all of it, so partitions would divide no work; one of them decides what is the latest. Removals
        # stay for a week, so that a worker that was away learns of them.
        removals = {"delete.retention.ms": str(7 * 24 * 3_600_000)}
        topics.append(Topic(f"{task.name}.features", 1, compact, removals, of_task=False))
    return topics


def sources_of(tasks: Iterable[Task]) -> list[str]:
    """The topics of others that these tasks bring into their event logs, which are not ours to make."""
    return sorted({source.topic for task in tasks for source in task.sources or ()})


async def prepare(brokers: Brokers | str, topics: list[Topic], sources: Iterable[str] = ()) -> None:
    """Make the topics that are missing and check those that are there; `sources` must be there.

    Raises
    ------
    BrokerError
        The broker cannot be reached.
    TopicError
        A topic exists and cannot serve, or cannot be made, or a source is missing.
    """
    admin = await connect(brokers)
    try:
        if sources and (missing_sources := find_missing(sources, await admin.list_topics())):
            raise missing_sources[0]
        copies = min(COPIES, len((await admin.describe_cluster())["brokers"]))
        missing = [NewTopic(t.name, t.partitions, copies, topic_configs=t.wanted | t.asked) for t in topics]
        answer = await admin.create_topics(missing)
        for name, code, *message in answer.topic_errors:
            if code not in (0, TOPIC_ALREADY_EXISTS):
                reason = message[0] if message and message[0] else f"error {code}"
                raise TopicError(
                    f"the topic {name} cannot be made: {reason}.", "Make it by hand, or grant the right to."
                )
        problems = await find_problems(admin, topics)
        for _ in range(APPEAR_ROUNDS):  # a broker acknowledges a topic a moment before it tells of it
            if not problems or any(problem.code != MISSING for problem in problems):
                break
            await asyncio.sleep(APPEAR_SECONDS)
            problems = await find_problems(admin, topics)
    finally:
        await admin.close()
    if problems:
        raise min(problems, key=lambda problem: problem.code == MISSING)


def find_missing(sources: Iterable[str], there: Iterable[str]) -> list[TopicError]:
    """What is wrong with sources as they are on the broker: some are not there."""
    remedy = "Correct its name in headrace.toml, or make it: it is not one of Headrace's own."
    return [TopicError(f"the source topic {name} is missing.", remedy) for name in sources if name not in set(there)]


async def find_problems(admin: AIOKafkaAdminClient, topics: list[Topic]) -> list[TopicError]:
    """What is wrong with topics as they are on the broker; empty when they can serve."""
    described = {found["topic"]: found for found in await admin.describe_topics([topic.name for topic in topics])}
    problems = []
    for topic in topics:
        found = described.get(topic.name)
        if found is None or found["error_code"]:
            problems.append(TopicError(f"the topic {topic.name} is missing.", "A starting worker makes it."))
            problems[-1].code = MISSING
            continue
        count = len(found["partitions"])
        if count != topic.partitions:
            problems.append(
                TopicError(
                    f"the topic {topic.name} has {count} partitions, not {topic.partitions}.",
                    f"Set partitions = {count} for the task in headrace.toml, or delete the topic."
                    if topic.of_task
                    else "Delete it; a starting worker makes it anew.",
                )
            )
        settings = await _settings(admin, topic.name)
        for name, value in topic.wanted.items():
            if settings.get(name, value) != value:
                problems.append(
                    TopicError(
                        f"the topic {topic.name} has {name}={settings[name]}, not {value}.",
                        f"Set it: kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {name}={value}.",
                    )
                )
    return problems


async def connect(brokers: Brokers | str) -> AIOKafkaAdminClient:
    """An admin client that is connected, or BrokerError."""
    admin = Brokers.of(brokers).admin(request_timeout_ms=10_000)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise BrokerError(
            f"the broker at {brokers} cannot be reached: {error}.", "Start it (`headrace broker`), or set broker.url."
        ) from None
    return admin


async def _settings(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """The settings of a topic that this broker tells; not every broker tells all."""
    answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {
        entry[0]: re.sub(r"\s", "", entry[1] or "")
        for answer in answers
        for found in answer.resources
        for entry in found[4]
    }
