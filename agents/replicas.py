"""Replicas: copies of the models of shards that other workers own, kept up to date by following their snapshots."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Literal

import structlog

from headrace.agents.background import Background
from headrace.agents.budget import Budget
from headrace.agents.collaborators import Collaborators
from headrace.agents.freshness import Freshness, known_from
from headrace.agents.recovery import Recovered, recover
from headrace.agents.sealer import Digests, digests
from headrace.learning.errors import HeadraceError, ReplacedError, SnapshotError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.task import Task

log = structlog.get_logger()

OPENING_MAX = 8
"""The number of shards that are opened at a time: each reads the changelog with a consumer of its own."""


class Replica:
    """A read-only copy of the model of a shard that another worker owns, as of a snapshot.

    Parameters
    ----------
    task, partition
        The task and the partition of the shard.
    collaborators
        The collaborators of the shard, which have the clocks.
    """

    status: Literal["replica"] = "replica"

    def __init__(self, task: Task, partition: int, collaborators: Collaborators):
        self.task, self.partition, self.collaborators = task, partition, collaborators
        self.learner: Learner | None = None
        self.error: str | None = None
        self.freshness = Freshness(collaborators.budget.clock())
        self._digests: Digests | None = None

    @property
    def position(self) -> int:
        """Return the position of the snapshot; 0 if there is none."""
        return self.learner.state.position if self.learner else 0

    @property
    def staleness(self) -> float:
        """Return an upper bound of the seconds of the log that the model has not folded."""
        return self.freshness.staleness(self.position, self.collaborators.budget.clock())

    async def digests(self) -> Digests | None:
        """The digests of the state and of its arms."""
        learner = self.learner
        if learner is None:
            return None
        if self._digests is None or self._digests.position != learner.state.position:
            try:
                self._digests = await asyncio.to_thread(digests, learner.state)  # which nobody changes
            except SnapshotError:
                return None
        return self._digests

    def take_up(self, recovered: Recovered | None) -> None:
        """Answer from a recovered state from now on; None stands for the new state of a shard without a snapshot.

        If the state cannot be used, this raises, and the replica keeps its last model.
        """
        learner = Learner(self.task, self.partition, recovered.state if recovered else None)
        if self.position == 0 and recovered is not None:
            self.freshness.set_known(
                known_from(recovered.state.clock, self.collaborators.budget.clock(), self.collaborators.wall())
            )
        self.learner = learner
        self.error = str(recovered.refused) if recovered and recovered.refused else None


class Replicas:
    """Follows the snapshots of all shards of a task that this worker does not own.

    The snapshot table of such a shard is opened and followed like an owner's, so the table is up to date when the shard is assigned to this
    worker. From that moment on the replicas leave the table alone. When the shard is revoked, its `Shard` closes the table, and the
    replicas open it again.

    The newest snapshot of each shard is read in a thread, so that requests are answered meanwhile. All but the first are read within a
    budget of time; if snapshots come faster, some are skipped.

    Parameters
    ----------
    task
        The task with the shards.
    collaborators
        The collaborators of the task's shards.
    owned
        The shards that this worker owns now; a live view.
    """

    def __init__(self, task: Task, collaborators: Collaborators, owned: Mapping[int, object]):
        self.task, self.collaborators, self.owned = task, collaborators, owned
        self._pace = collaborators.pace
        self.held: dict[int, Replica] = {}
        self._table = collaborators.snapshots.table
        self._budget = Budget(clock=collaborators.budget.clock)
        self._following: set[int] = set()
        self._changed: dict[int, None] = {}  # shards whose tables have changed, as an ordered set
        self._asked_at = float("-inf")
        self.following = Background(f"replicas of {task.name}", self._follow_all, pace=self._pace)

    def start(self) -> None:
        """Start the background task that follows the snapshots."""
        self.following.start()

    async def stop(self) -> None:
        """Stop following and close the databases. The models go on answering."""
        await self.following.stop()
        self._close(self._table.opened())

    def is_refused(self, partition: int) -> bool:
        """Say whether this shard has no model here because its snapshot was refused."""
        replica = self.held.get(partition)
        return replica is not None and replica.learner is None and replica.error is not None

    async def _follow_all(self) -> None:
        while True:
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 a broker that is away, a full disk: begin again
                log.info("cannot follow snapshots now", task=self.task.name, error=plain_error(error))
                self._close(self._following)
                self._following.clear()
                await asyncio.sleep(self._pace.retry)

    async def _round(self) -> None:
        wanted = {partition for partition in range(self.task.partitions) if partition not in self.owned}
        kept = wanted & self._following & set(self._table.opened())
        opened = await self._open_all(wanted - kept)
        if opened or kept != self._following:
            self._following = kept | opened
            await self.collaborators.follower.follow(
                {at: self._table.followed(at) for at in self._following if self._is_open(at)}
            )
        for partition, entries in (await self.collaborators.follower.poll(self._pace.poll_snapshots)).items():
            if self._is_open(partition):
                for entry in entries:
                    self._table.take(partition, entry)
                self._changed[partition] = None
        if self._changed and self._budget.is_free():
            partition = next(iter(self._changed))
            del self._changed[partition]
            await self._read_changed(partition)
        await self._ask_ends()

    async def _open_all(self, partitions: Iterable[int]) -> set[int]:
        room = asyncio.Semaphore(OPENING_MAX)

        async def open_one(partition: int) -> bool:
            async with room:
                try:
                    if partition not in self.owned:
                        await self._table.open(partition)
                    if self._is_open(partition):
                        await self._take_up(partition)
                except Exception as error:  # noqa: BLE001 another process has the lock, or the broker is away
                    log.info(
                        "cannot follow a shard yet", task=self.task.name, partition=partition, error=plain_error(error)
                    )
                    self._close([partition])
                    return False
                return self._is_open(partition)

        wanted = sorted(partitions)
        opened = await asyncio.gather(*map(open_one, wanted))
        if not all(opened):
            await asyncio.sleep(self._pace.retry)
        return {partition for partition, is_open in zip(wanted, opened, strict=True) if is_open}

    async def _read_changed(self, partition: int) -> None:
        """Read the new snapshot of a shard. If its database or the broker fails, only this shard is opened again."""
        try:
            if self._is_open(partition):
                await self._take_up(partition, self._budget)
        except Exception as error:  # noqa: BLE001 the next round opens it
            log.info("cannot follow a shard now", task=self.task.name, partition=partition, error=plain_error(error))
            self._close([partition])

    async def _take_up(self, partition: int, budget: Budget | None = None) -> None:
        """Answer from the furthest snapshot that can be used and belongs to the present event log.

        If a further snapshot was refused, the replica's `error` says why, even while an earlier snapshot answers.
        """
        replica = self.held.get(partition)
        if replica is None:
            replica = self.held[partition] = Replica(self.task, partition, self.collaborators)

        async def use(recovered: Recovered) -> bool:
            if replica.learner is None:  # only the first time: later the owner compares the log
                await self.collaborators.log.check(partition, recovered.state.last, recovered.state.position)
            replica.take_up(recovered)
            return True

        try:
            beyond = replica.position if replica.learner else -1
            is_taken = await recover(self.collaborators, partition, use, beyond=beyond, budget=budget)
        except (StoreError, ReplacedError):
            raise
        except HeadraceError as error:
            replica.error = str(error)
            log.warning("a snapshot is refused", task=self.task.name, partition=partition, error=replica.error)
            return
        if is_taken is None and replica.learner is None:
            replica.take_up(None)
        elif is_taken is None:
            replica.error = None

    async def _ask_ends(self) -> None:
        now = self.collaborators.budget.clock()
        if now - self._asked_at < self._pace.look_up_ends or not self._following:
            return
        self._asked_at = now
        for partition, end in (await self.collaborators.log.ends(sorted(self._following))).items():
            replica = self.held.get(partition)
            if replica is not None and end >= replica.position:  # a shorter log is not the one of the snapshot
                replica.freshness.mark(end, now)

    def _is_open(self, partition: int) -> bool:
        """Say whether a table is open for a replica. The shard may have been assigned, and revoked again, during any `await`."""
        return partition not in self.owned and partition in self._table.opened()

    def _close(self, partitions: Iterable[int]) -> None:
        for partition in list(partitions):
            if partition not in self.owned:
                self._table.close(partition)
