"""The topics that a task owns: a worker creates the missing ones, and refuses existing ones with other settings."""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidPartitionsError, KafkaError, for_code

from headrace.learning.codes import ErrorCode
from headrace.learning.errors import BrokerError, TopicError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.metadata import TopicDescription, find_topics

TOPIC_ALREADY_EXISTS = 36
MISSING: Final = "missing_topic"
LACKING: Final = "missing_partitions"
PASSING = (MISSING, LACKING)
"""Codes of problems that a starting worker corrects."""

APPEAR_SECONDS = 0.05
APPEAR_ROUNDS = 200

COPIES = 3
"""Replicas of a new topic, if there are enough brokers."""

QUARANTINE_MAX = 16 << 20
"""The most bytes of a quarantined record: it holds a whole message of the event log, and headers."""


class Topic(msgspec.Struct, frozen=True):
    """The requirements of a topic.

    `wanted` settings are checked on an existing topic; `asked` settings are only used to create one.
    """

    name: str
    partitions: int
    wanted: dict[str, str]
    asked: dict[str, str] = {}
    task: str = ""
    """The task whose shards are its partitions; empty for a topic whose partitions are something else."""
    is_log: bool = False
    """Whether it is the event log of its task."""


TOPICS = {
    "events": "The event log: samples, questions, labels and control records. Keep what a fold from the beginning needs.",
    "requests": "Questions over Kafka. While workers settle, one waits up to 30 s for its answer.",
    "predictions": "Answers to those, and with `predictions` in the settings what was predicted and what became of each question.",
    "signals": "Drifts and alerts.",
    "quarantine": "Refused records, with their reason: it says what your producers do wrong.",
    "snapshots": "The states of the shards. Needs no backup while the log is whole.",
    "pending": "The questions and labels that wait for each other. Needs no backup while the log is whole.",
    "versions": "The models that were saved to go back to, or made by jobs. Back it up with the log: the models of jobs are not made again.",
    "history": "The metrics of all arms over time. Without it, the past of the metrics is lost, and nothing else.",
    "positions": "Only if the task has sources: by this a source that was deleted and made anew is recognised.",
    "features": 'Only if the task has stored features. See "Use stored features" in docs/how-to/stored-features.md.',
}
"""What each topic of a task is for, by the last part of its name; the documents print it."""


def topics_of(task: Task) -> list[Topic]:
    """List the topics of one task.

    Examples
    --------
    >>> [topic.name for topic in topics_of(Task(name="ads", kind="binary"))]
    ['ads.events', 'ads.requests', 'ads.predictions', 'ads.signals', 'ads.quarantine', 'ads.snapshots', 'ads.pending', 'ads.versions', 'ads.history']
    """
    count, keep, compact = task.partitions, {"cleanup.policy": "delete"}, {"cleanup.policy": "compact"}
    forever = {
        "retention.ms": "-1",
        "retention.bytes": "-1",
    }  # the log is the truth: nothing of it is thrown away unasked
    topics = [
        Topic(task.events, count, keep, {"message.timestamp.type": "LogAppendTime"} | forever, task.name, is_log=True),
        Topic(task.requests, count, keep, {}, task.name),
        Topic(f"{task.name}.predictions", count, keep, {}, task.name),
        Topic(f"{task.name}.signals", count, keep, {}, task.name),
        Topic(f"{task.name}.quarantine", count, keep, {"max.message.bytes": str(QUARANTINE_MAX)}, task.name),
        # Small segments, so that compaction, which leaves the newest one alone, has something to do.
        Topic(f"{task.name}.snapshots", count, compact, {"segment.bytes": str(64 << 20)}, task.name),
        Topic(f"{task.name}.pending", count, compact, {"segment.bytes": str(64 << 20)}, task.name),
        Topic(f"{task.name}.versions", count, compact, {"segment.bytes": str(64 << 20)}, task.name),
        # Every worker follows all of it. It has some MiB a shard, and slots of it get new points all the time.
        Topic(f"{task.name}.history", 1, compact, {"segment.bytes": str(8 << 20)}),
    ]
    if task.sources:
        # A few hundred bytes a minute, read as a whole when an intake opens.
        small = {"segment.bytes": str(1 << 20), "segment.ms": str(24 * 3_600_000)}
        topics.append(Topic(f"{task.name}.positions", 1, compact, small))
    if task.stored:
        # Every worker follows all of it, so partitions would divide no work; one of them decides what is the latest. Removals
        # stay for a week, so that a worker that was away learns of them.
        removals = {"delete.retention.ms": str(7 * 24 * 3_600_000)}
        topics.append(Topic(f"{task.name}.features", 1, compact, removals))
    return topics


def sources_of(tasks: Iterable[Task]) -> list[str]:
    """List the source topics of tasks, which belong to others and are not created."""
    return sorted({source.topic for task in tasks for source in task.sources or ()})


async def prepare(
    brokers: Brokers | str, topics: list[Topic], sources: Iterable[str] = ()
) -> dict[str, TopicDescription]:
    """Create missing topics and partitions, and check the existing ones. A worker calls this at its start.

    Partitions are never added to an event log, because that would move keys to other shards.

    Parameters
    ----------
    brokers
        The brokers: `Brokers`, or `host:port`, several separated by commas.
    topics
        The topics to create or check.
    sources
        Names of topics that must exist.

    Returns
    -------
    The descriptions of all topics and sources, by name.

    Raises
    ------
    BrokerError
        The broker cannot be reached.
    TopicError
        A topic exists and cannot serve, or cannot be made, or a source is missing.
    """
    admin = await connect(brokers)
    try:
        if sources and (missing_sources := find_missing(sources, await find_topics(admin, sources))):
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
        for _ in range(APPEAR_ROUNDS):  # a broker acknowledges topics and partitions a moment before it lists them
            if not problems or any(problem.code not in PASSING for problem in problems):
                break
            if any(problem.code == LACKING for problem in problems):
                await _add_partitions(admin, topics)
            await asyncio.sleep(APPEAR_SECONDS)
            problems = await find_problems(admin, topics)
        described = await find_topics(admin, {*(topic.name for topic in topics), *sources})
    finally:
        await admin.close()
    if problems:
        raise min(problems, key=lambda problem: problem.code in PASSING)
    return described


async def _add_partitions(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    """Add the missing partitions to topics whose task has the right number of partitions in its event log."""
    described = await find_topics(admin, [topic.name for topic in topics])
    lacking = {topic.name: topic.partitions for topic in find_lacking(topics, described)}
    if not lacking:
        return
    try:
        await admin.create_partitions({name: NewPartitions(count) for name, count in lacking.items()})
    except InvalidPartitionsError:
        pass  # another starting worker has just added them
    except KafkaError as error:
        named = ", ".join(f"{name} {count}" for name, count in lacking.items())
        raise TopicError(
            f"partitions cannot be added: {plain_failure(error)}. Needed are: {named}.",
            "Add them by hand (kafka-topics.sh --alter --partitions), or grant the right to.",
        ) from None


def find_missing(sources: Iterable[str], there: Iterable[str]) -> list[TopicError]:
    """Return an error for each source that is missing on the broker."""
    remedy = "Correct its name in headrace.toml, or make it: it is not one of Headrace's own."
    return [TopicError(f"the source topic {name} is missing.", remedy) for name in sources if name not in set(there)]


async def find_problems(admin: AIOKafkaAdminClient, topics: list[Topic]) -> list[TopicError]:
    """Compare topics with the broker; return an error for each difference."""
    described = await find_topics(admin, [topic.name for topic in topics])
    problems = [*_find_undescribed(topics, described), *find_miscounted(topics, described)]
    for topic in topics:
        if topic.name not in described:
            continue
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


def _find_undescribed(topics: Iterable[Topic], described: Mapping[str, TopicDescription]) -> Iterator[TopicError]:
    """Yield an error for each topic that is missing, or that the broker does not describe."""
    for topic in topics:
        if topic.name not in described:
            yield _coded(MISSING, f"the topic {topic.name} is missing.", "A starting worker makes it.")
        elif error := described[topic.name].error:
            what = f"the topic {topic.name} cannot be described: {for_code(error).__name__}."
            yield TopicError(what, "Grant the right to, or try again when its leader is elected.")


def find_lacking(topics: Iterable[Topic], described: Mapping[str, TopicDescription]) -> list[Topic]:
    """List the topics with fewer partitions than their task, if the task's event log has the right number."""
    topics = list(topics)
    refused = {task for task, _ in _find_miscounted_logs(topics, described)}
    return [topic for topic in topics if topic.task and topic.task not in refused and not topic.is_log
            and 0 < _count(topic, described) < topic.partitions]  # fmt: skip


def find_miscounted(topics: Iterable[Topic], described: Mapping[str, TopicDescription]) -> list[TopicError]:
    """Compare the partition counts of topics with their tasks; return at most one error for each task.

    The event log decides, because its records cannot move. Another topic may have more partitions than the task: they stay empty, or
    hold requests, which are answered whatever their partition.
    """
    topics = list(topics)
    problems = [error for _, error in _find_miscounted_logs(topics, described)]
    lacking = find_lacking(topics, described)
    for task in dict.fromkeys(topic.task for topic in lacking):
        named = ", ".join(f"{topic.name} has {_count(topic, described)}" for topic in lacking if topic.task == task)
        count = next(topic.partitions for topic in lacking if topic.task == task)
        problems.append(
            _coded(LACKING, f"the task has {count} partitions, but {named}.", "A starting worker adds them.")
        )
    problems += [
        TopicError(
            f"the topic {topic.name} has {count} partitions, not {topic.partitions}.",
            "Delete it: a starting worker makes it anew, empty. Then write again what it held.",
        )
        for topic in topics
        if not topic.task and (count := _count(topic, described)) not in (0, topic.partitions)
    ]
    return problems


def _find_miscounted_logs(
    topics: list[Topic], described: Mapping[str, TopicDescription]
) -> Iterator[tuple[str, TopicError]]:
    """Yield each task whose event log has another number of partitions, with an error that names all topics of the task."""
    for log in topics:
        count = _count(log, described)
        if not log.is_log or count in (0, log.partitions):
            continue
        others = ", ".join(
            f"{topic.name} {_count(topic, described)}"
            for topic in topics
            if topic.task == log.task and not topic.is_log and topic.name in described
        )
        what = f"the event log {log.name} has {count} partitions, the task {log.partitions}"
        remedy = (
            f"Set partitions = {count} for the task in headrace.toml, on all workers: a starting worker then adds what its other "
            "topics lack. Records keep the shard that they are in; later ones of the same key may go to another."
        )
        if count < log.partitions:
            remedy += (
                f" Or add them to the log: kafka-topics.sh --alter --topic {log.name} --partitions {log.partitions}."
            )
        yield log.task, TopicError(what + (f" (other topics: {others})." if others else "."), remedy)


def _count(topic: Topic, described: Mapping[str, TopicDescription]) -> int:
    """Return the number of partitions of a topic on the broker; 0 if it is unknown."""
    return described[topic.name].partitions if topic.name in described else 0


def _coded(code: ErrorCode, what: str, remedy: str) -> TopicError:
    error = TopicError(what, remedy)
    error.code = code
    return error


async def connect(brokers: Brokers | str) -> AIOKafkaAdminClient:
    """Connect an admin client.

    Raises
    ------
    BrokerError
        The broker cannot be reached.
    """
    admin = Brokers.of(brokers).admin(request_timeout_ms=10_000)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise BrokerError(
            f"the broker at {brokers} cannot be reached: {plain_failure(error)}.",
            "Start it (`headrace broker`), or set broker.url.",
        ) from None
    return admin


async def _settings(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """Return the settings of a topic; not every broker reports all of them."""
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {
        entry[0]: re.sub(r"\s", "", entry[1] or "")
        for answer in answers
        for resource in answer.resources
        for entry in resource[4]
    }
