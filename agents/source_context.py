"""The collaborators that all intakes of a task share."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from headrace.agents.mapping import Mapping
from headrace.agents.pace import Pace
from headrace.agents.positions import Positions
from headrace.agents.telemetry import Telemetry
from headrace.learning.task import Task, Value
from headrace.tables.kafka.appender import Appender
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.log import KafkaEventLog


class Enricher(Protocol):
    """Adds stored features to rows before they are appended to the event log."""

    async def enrich(self, rows: Sequence[tuple[str | None, dict[str, Value]]]) -> list[dict[str, Value]]:
        """Return the features of each row, given as (entity's key, features), with the stored features added. It never raises."""
        ...


class Counts(msgspec.Struct):
    """Counts the rows that this worker has mapped and appended, left out, and rejected to the quarantine.

    Left out are the rows that the source's `when` leaves out, and messages whose value is null.
    """

    mapped: int = 0
    left_out: int = 0
    rejected: int = 0


class SourceContext:
    """Holds the collaborators of an intake: mappings, source topics, positions, and appenders to the event log and the quarantine.

    Parameters
    ----------
    task
        A task with sources.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    tell_group
        Commits a position (topic, partition, offset) to the group of the workers.
    enricher
        Adds stored features to rows, if given.
    key
        The snapshot key, or None; see `Positions`.
    pace
        The waits of the intakes.
    telemetry
        Counts what the intakes do, together with what the shards of the task do.
    """

    def __init__(
        self,
        task: Task,
        brokers: Brokers | str,
        tell_group: Callable[[str, int, int], Awaitable[None]],
        enricher: Enricher | None = None,
        key: bytes | None = None,
        *,
        pace: Pace = Pace(),
        telemetry: Telemetry | None = None,
    ):
        self.task, self.tell_group, self.enricher, self.pace = task, tell_group, enricher, pace
        self.mappings = {source.topic: Mapping(task, source.topic) for source in task.sources or ()}
        self.logs = {topic: KafkaEventLog(topic, brokers) for topic in self.mappings}
        self.positions = Positions(task.name, brokers, key)
        self.appender = Appender(task.events, brokers)
        self.quarantine = Appender(f"{task.name}.quarantine", brokers)
        self.counts = Counts()
        self.telemetry = telemetry or Telemetry()

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self.appender.stop()
        await self.quarantine.stop()
        await self.positions.stop()
        for source in self.logs.values():
            await source.stop()
