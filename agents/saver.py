"""The saver of a shard: takes snapshots of its state in steps, so that a crash after any step loses nothing."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from headrace.agents.background import Errands
from headrace.agents.collaborators import Collaborators
from headrace.agents.sealer import Sealer
from headrace.agents.teller import Teller
from headrace.learning.errors import HeadraceError, ReplacedError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.task import Task
from headrace.tables.pending import ShardPending
from headrace.tables.versions import ShardVersions

log = structlog.get_logger()


class Snapshot(NamedTuple):
    """A sealed state: its position, its bytes, the log time up to which no entry waits in it, and the digests of the versions that it names."""

    position: int
    gone: int
    sealed: bytes
    digests: frozenset[str]


class Saver:
    """Takes the snapshots of one shard.

    A snapshot is sealed while the shard does not fold. Then the steps of `save` run in a task of their own, while the shard folds on:

    1. `tell`: the broker acknowledges the effects of every message that the state has folded.
    2. `make_durable`: the broker acknowledges the pending entries and the models of versions that the state needs, then the snapshot.
    3. `commit`: the group gets the position, and what no snapshot needs any more of both is removed.

    After a crash the shard goes on from the last durable snapshot. So effects are never lost, and no committed position is ahead of the
    last durable snapshot. A step that fails ends this snapshot alone: the log still has every message, and another snapshot is due soon.

    Parameters
    ----------
    task, partition
        The task and the partition of the shard.
    collaborators
        The collaborators of the shard.
    teller
        Publishes the effects of the shard.
    is_live
        Says whether the shard still folds; otherwise nothing is committed.
    on_store_error
        Called when a local database fails.
    predecessor
        The saver of the failed shard whose state is taken over, if there is one.

    Attributes
    ----------
    position, gone, digests
        Of the last durable snapshot.
    error
        Why there is no newer snapshot; None when the last one succeeded.
    """

    def __init__(
        self,
        task: Task,
        partition: int,
        collaborators: Collaborators,
        teller: Teller,
        *,
        is_live: Callable[[], bool],
        on_store_error: Callable[[HeadraceError], None],
        predecessor: "Saver | None" = None,
    ):
        self.task, self.partition, self.collaborators, self.teller = task, partition, collaborators, teller
        self.telemetry = collaborators.telemetry
        self.sealer: Sealer = predecessor.sealer if predecessor else Sealer(collaborators.budget)
        self.position: int = predecessor.position if predecessor else 0
        self.gone: int = predecessor.gone if predecessor else -1
        self.pending: ShardPending | None = None
        self.versions: ShardVersions | None = None
        self.digests: frozenset[str] = predecessor.digests if predecessor else frozenset()
        self._needed: frozenset[str] = frozenset()  # by the last snapshot or the one before
        self._position_before = 0
        self.error: str | None = None
        self._gone_before = -1
        self._is_live, self._on_store_error = is_live, on_store_error
        self._sealed_at = 0.0
        name = f"snapshots of shard {partition} of {task.name}"
        self.errands = Errands(
            name, "a snapshot was not saved", self._note_failure, task=task.name, partition=partition
        )

    def resume(self, learner: Learner, size: int) -> None:
        """Take note that the shard goes on from a durable snapshot of the learner's state, of so many bytes."""
        state = learner.state
        self.position, self.gone, self.sealer.size = state.position, learner.join.gone_at(state.clock), size
        self.digests = state.versions.digests

    def start(self, pending: ShardPending, versions: ShardVersions) -> None:
        """Save from now on, together with the entries of this pending table and the models of these versions."""
        self.versions = versions
        self.pending, self._sealed_at = pending, self.collaborators.budget.clock()

    def is_due(self, position: int) -> bool:
        """Say whether a state at this position should be saved: enough messages or seconds have passed, and the budget allows it."""
        collaborators = self.collaborators
        unsaved = position - self.position
        if not unsaved or self.errands.are_running or not self._is_live():
            return False
        waited = collaborators.budget.clock() - self._sealed_at
        is_time = unsaved >= collaborators.snapshot_records or waited >= collaborators.snapshot_seconds
        return is_time and collaborators.budget.is_free()

    async def begin(self, learner: Learner) -> None:
        """Seal the state, which must not change meanwhile, and begin to save it."""
        snapshot = await self.seal(learner)
        if snapshot is not None and self._is_live():
            self.errands.start(self._save(snapshot))

    async def wait(self) -> None:
        """Wait until the snapshot under way, if there is one, is committed or has failed."""
        await self.errands.wait()

    def cancel(self) -> None:
        """Cancel the snapshot under way."""
        self.errands.cancel()

    async def seal(self, learner: Learner) -> Snapshot | None:
        """Seal the state as a snapshot. If the model cannot be saved, set `error` and return None: the shard goes on learning."""
        assert learner.between_messages
        collaborators, state = self.collaborators, learner.state
        self._sealed_at = collaborators.budget.clock()
        try:
            sealed = await self.sealer.seal(
                state, self.task, self.partition, writer=collaborators.writer, key=collaborators.key
            )
        except Exception as error:  # noqa: BLE001 a user's model may raise anything
            self.telemetry.snapshots_failed += 1
            self.error = f"no snapshot can be taken: {plain_error(error)}"
            log.error("no snapshot can be taken", task=self.task.name, partition=self.partition, error=self.error)  # noqa: TRY400
            return None
        if growth := self.sealer.find_growth():
            self.teller.alert("state_large", growth, state.position, state.clock)
        return Snapshot(state.position, learner.join.gone_at(state.clock), sealed, state.versions.digests)

    async def save(self, snapshot: Snapshot) -> None:
        """Run the steps after sealing, one after the other. Raises what a step raises."""
        await self.tell()
        await self.make_durable(snapshot)
        if self._is_live():
            await self.commit(snapshot)

    async def tell(self) -> None:
        """Publish the shard's effects, and wait until the broker has acknowledged them."""
        await self.teller.flush()

    async def make_durable(self, snapshot: Snapshot) -> None:
        """Write the pending entries, then the snapshot, and wait until the broker has acknowledged both."""
        if self.pending is not None:
            await self.pending.save()
        if self.versions is not None:
            await self.versions.save()
        await self.collaborators.snapshots.save(self.partition, snapshot.position, snapshot.sealed)
        self._needed, self.digests = self.digests | snapshot.digests, snapshot.digests
        self._position_before, self._gone_before = self.position, self.gone
        self.position, self.gone = snapshot.position, snapshot.gone
        self.telemetry.snapshot_seconds.observe(self.collaborators.budget.clock() - self._sealed_at)
        self.telemetry.snapshot_bytes += len(snapshot.sealed)

    async def commit(self, snapshot: Snapshot) -> None:
        """Commit the position, and remove the pending entries that had expired at the snapshot before this one."""
        self.error = None
        await self.collaborators.commit(self.partition, snapshot.position)
        await self.collaborators.pending.purge(self.partition, self._gone_before)
        if self.versions is not None:
            await self.versions.retain(self._needed, self._position_before)

    async def _save(self, snapshot: Snapshot) -> None:
        try:
            await self.save(snapshot)
        except (StoreError, ReplacedError) as error:
            self.telemetry.snapshots_failed += 1
            self._on_store_error(error)

    def _note_failure(self, error: BaseException) -> None:
        self.telemetry.snapshots_failed += 1
        self.error = f"the last snapshot was not saved: {plain_error(error)}"
