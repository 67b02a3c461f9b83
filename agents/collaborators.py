"""The collaborators of a task's shards: Kafka clients, RocksDB tables, and the snapshot budget."""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from headrace.agents.budget import Budget
from headrace.agents.jobs.runner import Launch
from headrace.agents.outlet import KafkaOutlet, Outlet
from headrace.agents.pace import Pace
from headrace.agents.telemetry import Telemetry
from headrace.learning.task import Task, define, fingerprint
from headrace.tables.changelog import Follower, KafkaChangelog, KafkaFollower
from headrace.tables.history import History
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.log import EventLog, KafkaEventLog
from headrace.tables.mirror import Mirror
from headrace.tables.pending import PendingTable
from headrace.tables.snapshots import Snapshots
from headrace.tables.table import Table
from headrace.tables.versions import VersionTable

Commit = Callable[[str, int, int], Awaitable[None]]
"""Commits a position to the consumer group: topic, partition, offset."""


class Collaborators:
    """Holds the collaborators that a shard needs: event log, outlet, snapshot table, pending table, snapshot budget.

    Tests replace them with fakes that may fail at any step.

    Parameters
    ----------
    task
        Names the topics.
    brokers
        Where Kafka is: `Brokers`, or `host:port`, several separated by commas.
    datadir
        The folder of the databases.
    tell_group
        Commits a position to the consumer group.
    writer
        Names this process among the writers of snapshots.
    key
        The snapshot key, which signs snapshots and segments of the pending table, or None.
    budget
        The snapshot budget, which all shards of the worker share.
    snapshot_records, snapshot_seconds
        After how many records or seconds a snapshot is due, if the budget allows it.
    modules
        Modules of the user's own, beside that of the task's model, that may make a model for this task.
    launch
        Starts the processes of jobs; None where there are none.
    mirror
        Where saved versions are copied to; None: nowhere.
    pace
        The waits of the shards and replicas.

    Attributes
    ----------
    telemetry
        Counts what the shards do.
    """

    def __init__(
        self,
        task: Task,
        brokers: Brokers | str,
        datadir: Path,
        tell_group: Commit,
        *,
        writer: str,
        key: bytes | None,
        budget: Budget,
        snapshot_records: int,
        snapshot_seconds: float,
        modules: Sequence[str] = (),
        launch: Launch | None = None,
        mirror: Mirror | None = None,
        pace: Pace = Pace(),
    ):
        self.task, self.tell_group, self.pace = task, tell_group, pace
        self.writer, self.key, self.budget = writer, key, budget
        self.snapshot_records, self.snapshot_seconds = snapshot_records, snapshot_seconds
        self.own_modules: Sequence[str] = (*modules, *task.modules)
        self.launch: Launch | None = launch
        self.wall: Callable[[], float] = time.time
        self.telemetry = Telemetry(task.name)
        self._changelog = KafkaChangelog(f"{task.name}.snapshots", brokers)
        self._segments = KafkaChangelog(f"{task.name}.pending", brokers)
        self._log = KafkaEventLog(task.events, brokers)
        self._outlet = KafkaOutlet(task.name, brokers)
        self.follower: Follower = KafkaFollower(f"{task.name}.snapshots", brokers)
        self.log: EventLog = self._log
        self.outlet: Outlet = self._outlet
        self._models = KafkaChangelog(f"{task.name}.versions", brokers)
        self.versions = VersionTable(Table(self._models, datadir / task.name / "versions"), mirror)
        self.history = History(KafkaChangelog(f"{task.name}.history", brokers), datadir / task.name / "history")
        self.snapshots = Snapshots(Table(self._changelog, datadir / task.name / "snapshots"), writer)
        self.pending = PendingTable(
            self._segments,
            datadir / task.name / "pending",
            task=task.name,
            snapshot_key=key,
            writer=writer,
            fold=fingerprint(define(task)),
        )

    async def commit(self, partition: int, position: int) -> None:
        """Commit the position at which the consumer group starts reading next time."""
        await self.tell_group(self.task.events, partition, position)

    async def stop(self) -> None:
        """Close the connections to the broker."""
        await self.follower.stop()
        await self._outlet.stop()
        await self._log.stop()
        await self._changelog.stop()
        await self._segments.stop()
        await self._models.stop()
        await self.history.stop()
