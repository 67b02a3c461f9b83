"""The learning agent: from a task's event log, through its shards, to effects and snapshots."""

from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from agents.log import KafkaEventLog
from agents.outlet import KafkaOutlet
from agents.poll import Backlog, PollTransport
from agents.shard import Budget
from agents.shards import Shards
from learning.task import Task
from tables.changelog import KafkaChangelog
from tables.snapshots import Snapshots
from tables.table import Table


class LearningApp(faust.App):  # type: ignore[misc]
    """A Faust app whose agents fold event logs.

    Faust brings the messages and balances the shards among workers. What makes the fold exact is not left to it: each shard
    checks the order itself (`agents/shard.py`), and positions are committed by the shard when its snapshot is durable.
    """

    def __init__(self, *args: Any, buffer_bytes: int, **options: Any):
        self.backlog = Backlog(buffer_bytes)
        self.learning: dict[str, Shards] = {}
        self.has_joined = False
        super().__init__(*args, **options)

    def _new_transport(self) -> PollTransport:
        return PollTransport(self.conf.broker_consumer, self)

    def learn(self, task: Task, around: "Around") -> Shards:
        """Fold one task's event log: its shards come and go with the assignments of the group."""
        shards = self.learning[task.events] = Shards(task, around)
        topic = self.topic(
            task.events, key_type=bytes, value_type=bytes, value_serializer="raw", partitions=task.partitions
        )

        async def learn(stream: Any) -> None:
            async for event in stream.noack().events():
                shard = shards.owned.get(event.message.partition)
                if shard is not None:
                    await shard.deliver(event.message.batch)

        self.agent(topic, name=f"learn.{task.name}", concurrency=1)(learn)
        return shards

    async def on_stop(self) -> None:
        """Take the last snapshots while the connections still stand."""
        for shards in self.learning.values():
            await shards.revoke()
            await shards.around.stop()  # type: ignore[attr-defined]
        await super().on_stop()


def follow_assignments(app: LearningApp) -> None:
    """Open and close shards as the group assigns and revokes them."""

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def assigned(_: LearningApp, assigned: set[TP], **_options: Any) -> None:
        app.has_joined = True
        for topic, shards in app.learning.items():
            shards.assign(tp.partition for tp in assigned if tp.topic == topic)

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def revoked(_: LearningApp, **_options: Any) -> None:
        for shards in app.learning.values():
            await shards.revoke()

    app.keep = (assigned, revoked)  # Faust holds its listeners weakly


class Around:
    """What the shards of one task act upon: Kafka and RocksDB.

    Parameters
    ----------
    app
        Whose group membership commits positions.
    task
        Names the topics.
    brokers
        `host:port`, several separated by commas.
    datadir
        Where the databases are.
    writer
        Names this process among the writers of snapshots.
    key
        Authenticates snapshots, or None.
    budget
        Shared by all shards of the worker.
    snapshot_records, snapshot_seconds
        How often a snapshot is taken, the budget allowing.
    """

    def __init__(
        self,
        app: LearningApp,
        task: Task,
        brokers: str,
        datadir: Path,
        *,
        writer: str,
        key: bytes | None,
        budget: Budget,
        snapshot_records: int,
        snapshot_seconds: float,
    ):
        self.app, self.task = app, task
        self.writer, self.key, self.budget = writer, key, budget
        self.snapshot_records, self.snapshot_seconds = snapshot_records, snapshot_seconds
        self.also = (task.model_name.split(":")[0].split(".")[0],) if ":" in task.model_name else ()
        self.changelog = KafkaChangelog(f"{task.name}.snapshots", brokers)
        self.log = KafkaEventLog(task.events, brokers)
        self.outlet = KafkaOutlet(task.name, brokers)
        self.snapshots = Snapshots(Table(self.changelog, datadir / task.name / "snapshots"), writer)

    async def commit(self, partition: int, position: int) -> None:
        """Tell the group from where to start reading next time."""
        await self.app.consumer._commit({TP(self.task.events, partition): position})  # noqa: SLF001

    async def stop(self) -> None:
        """Close the connections."""
        await self.outlet.stop()
        await self.log.stop()
        await self.changelog.stop()
