"""The learning agent: a Faust app that folds the event logs of tasks, one shard a partition."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from faust import Stream, Topic
from faust.types import TP

from headrace.agents.background import Background, BackgroundStatus, Errands
from headrace.agents.collaborators import Collaborators
from headrace.agents.ingest import Ingest
from headrace.agents.pace import Pace
from headrace.agents.poll import Backlog, PollApp, PollConsumer, polls
from headrace.agents.shards import Shards
from headrace.agents.stopping import stop_all
from headrace.learning.errors import BrokerError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Task
from headrace.tables.enricher import Enricher


class SourceTopics(Topic):
    """The topics of a task's sources as one Faust channel with a name, which `faust agents` needs of each channel."""

    def get_topic_name(self) -> str:
        """Join the names of the topics."""
        return ", ".join(self.topics)


class LearningApp(PollApp):
    """A Faust app whose agents fold event logs.

    Faust delivers the messages and balances the shards among workers. The fold does not rely on Faust for exactness: each shard checks the
    order itself (`agents/shard.py`), and commits its position when its snapshot is durable.
    """

    def __init__(self, *args: Any, buffer_bytes: int, pace: Pace = Pace(), **options: Any):
        self.pace = pace
        self.backlog = Backlog(buffer_bytes)
        self.learning: dict[str, Shards] = {}
        self.enrichers: dict[str, Enricher] = {}
        self.ingesting: dict[str, Ingest] = {}
        self.has_joined = False
        self.rebalances = 0
        self.closing: list[Callable[[], Coroutine[None, None, None]]] = []
        self.listeners: tuple[object, ...] = ()
        self.background = [Background("group", self.watch_group, pace=pace)]
        self.described: list[Background | Errands] = []  # tasks that others start and stop
        super().__init__(*args, **options)

    def learn(self, task: Task, collaborators: Collaborators) -> Shards:
        """Add an agent that folds one task's event log, and return the task's shards, which follow the assignments of the group."""
        shards = self.learning[task.events] = Shards(task, collaborators)
        topic = self.topic(
            task.events, key_type=bytes, value_type=bytes, value_serializer="raw", partitions=task.partitions
        )

        async def learn(stream: Stream) -> None:
            """Fold the event log of a task."""
            async for message in polls(stream):
                shard = shards.owned.get(message.partition)
                if shard is not None:
                    await shard.deliver(message.batch, message.link)

        self.agent(topic, name=f"learn.{task.name}", concurrency=1)(learn)
        self.background.append(Background(f"history of {task.name}", collaborators.history.run, pace=self.pace))
        return shards

    def ingest(self, task: Task, ingest: Ingest) -> None:
        """Add an agent that appends the records of a task's sources to its event log."""
        self.ingesting[task.name] = ingest
        topic = SourceTopics(
            self, topics=tuple(ingest.topics), key_type=bytes, value_type=bytes, value_serializer="raw"
        )
        self.agent(topic, name=f"ingest.{task.name}", concurrency=1)(ingest.take)

    async def commit_position(self, topic: str, partition: int, position: int) -> None:
        """Commit a position to the group, as a hint for the next owner where to start reading."""
        await self.consumer._commit({TP(topic, partition): position})  # noqa: SLF001

    async def watch_group(self) -> None:
        """End the worker when the client's work for the group has ended. aiokafka itself only logs that end, and then waits for ever."""
        assert isinstance(self.consumer, PollConsumer)
        while (failure := self.consumer.find_failure()) is None:
            await asyncio.sleep(self.pace.check_group)
        error = BrokerError(
            f"the client's work for the group has ended: {plain_failure(failure)}.", "Start the worker again."
        )
        await self.crash(error)

    def describe_background(self) -> list[BackgroundStatus]:
        """Return the status of every background task of the worker, with its number of failures."""
        tasks: list[Background | Errands] = [*self.background, *self.described]
        for ingest in self.ingesting.values():
            tasks += ingest.watches.values()
        for shards in self.learning.values():
            tasks += [shards.replicas.following, *shards.watches.values()]
            tasks += [shard.saver.errands for shard in shards.owned.values()]
            tasks += [shard.mirroring.errands for shard in shards.owned.values() if shard.mirroring is not None]
        return [task.describe() for task in tasks]

    async def on_start(self) -> None:
        """Start to follow the snapshots at once, so that replicas can answer before the group has assigned the shards."""
        await super().on_start()
        for shards in self.learning.values():
            shards.replicas.start()
        for name, enricher in self.enrichers.items():
            self.background.append(Background(f"stored features of {name}", enricher.store.run, pace=self.pace))
        for task in self.background:
            task.start()

    async def on_stop(self) -> None:
        """Take the last snapshots while the connections are open, then close the connections; each step in limited time."""
        saves = [(task.name, task.stop()) for task in self.background]
        saves += [(f"sources of {ingest.task.name}", ingest.revoke()) for ingest in self.ingesting.values()]
        saves += [(f"shards of {shards.task.name}", shards.stop()) for shards in self.learning.values()]
        await stop_all(saves, self.pace.leave_all)
        closes = [(f"sources of {ingest.task.name}", ingest.stop()) for ingest in self.ingesting.values()]
        closes += [(f"clients of {shards.task.name}", shards.collaborators.stop()) for shards in self.learning.values()]
        closes += [(f"stored features of {name}", enricher.store.stop()) for name, enricher in self.enrichers.items()]
        await stop_all(closes, self.pace.close)
        await stop_all([("Faust", super().on_stop())], self.pace.close)

    async def on_shutdown(self) -> None:
        """Close the clients that answers need. By now no more questions are answered."""
        await stop_all([("clients of the answers", close()) for close in self.closing], self.pace.close)
        await super().on_shutdown()


def follow_assignments(app: LearningApp) -> None:
    """Open and close shards as the group assigns and revokes them."""

    @app.on_partitions_assigned.connect
    async def assigned(_: LearningApp, assigned: set[TP], **_options: object) -> None:
        app.has_joined = True
        app.rebalances += 1
        for topic, shards in app.learning.items():
            shards.assign(tp.partition for tp in assigned if tp.topic == topic)
        for ingest in app.ingesting.values():
            ingest.assign((tp.topic, tp.partition) for tp in assigned)

    @app.on_partitions_revoked.connect
    async def revoked(_: LearningApp, _revoked: set[TP], **_options: object) -> None:
        parts = [(f"sources of {ingest.task.name}", ingest.revoke()) for ingest in app.ingesting.values()]
        parts += [(f"shards of {shards.task.name}", shards.revoke()) for shards in app.learning.values()]
        await stop_all(parts, app.pace.leave_all)

    app.listeners = (assigned, revoked)  # Faust holds its listeners weakly
