"""Finds the state with which a shard goes on when it is opened, and says which states could not be used."""

import asyncio
from typing import NamedTuple

import structlog

from headrace.agents.collaborators import Collaborators
from headrace.agents.freshness import known_from
from headrace.agents.lookahead import Lookahead
from headrace.agents.recovery import Recovered, recover
from headrace.learning.fold.learner import Learner
from headrace.learning.state import State
from headrace.learning.supplies import Supplies
from headrace.learning.task import Task, under
from headrace.tables.pending import ShardPending
from headrace.tables.versions import ShardVersions

log = structlog.get_logger()


class Held(NamedTuple):
    """The state that a failed shard still holds in memory, with the tables that belong to it, and the lock under which it folded."""

    learner: Learner
    pending: ShardPending
    versions: ShardVersions
    lock: asyncio.Lock


class Resumed(NamedTuple):
    """The state with which a shard goes on when it is opened.

    Parameters
    ----------
    learner, pending, versions
        A learner with the state, the pending table with the entries that wait in it, and the table with the models of its versions.
    current_at
        The last time at which the state is known to have folded the whole log, in seconds of the clock that never goes back.
    size
        Bytes of the snapshot; None if the state is not from a snapshot.
    is_held
        Whether the state was held in memory by the failed shard.
    notice
        Why the log is folded again; None if it is not.
    """

    learner: Learner
    pending: ShardPending
    versions: ShardVersions
    current_at: float
    size: int | None = None
    is_held: bool = False
    notice: str | None = None


class Resumption:
    """Looks for the furthest state of a shard that fits its event log and its tables, when the shard is opened.

    Parameters
    ----------
    task, partition
        The task and the partition of the shard.
    collaborators
        The collaborators of the shard, whose databases are open.
    asked_at
        When the end of the log was looked up.
    lookahead
        Finds in the log what the learner must know before it comes to it.
    """

    def __init__(self, task: Task, partition: int, collaborators: Collaborators, asked_at: float, lookahead: Lookahead):
        self.lookahead = lookahead
        self.task, self.partition, self.collaborators, self.asked_at = task, partition, collaborators, asked_at
        self.versions = ShardVersions(collaborators.versions, partition)
        self._misfits: dict[str, list[int]] = {}
        self._skipped: list[tuple[int, str]] = []

    async def find(self, held: Held | None = None) -> Resumed:
        """Find the state to go on with: the state held in memory if it is whole and fits, else that of the furthest snapshot, else a new one.

        Raises as `recover` does.
        """
        if held is not None:
            async with held.lock:  # the failed shard may still fold a message
                is_whole = held.learner.between_messages
            if is_whole and await self._fits(held.learner.state, held.pending, held.versions):
                current_at = await self._check_log(held.learner.state)
                return Resumed(held.learner, held.pending, held.versions, current_at, is_held=True)
        resumed = await recover(self.collaborators, self.partition, self._use, skipped=self._skipped)
        if resumed is None:
            pending = ShardPending(self.collaborators.pending, self.partition)
            definition = await self._find_first_definition()
            task = self.task if definition is None else under(self.task, definition)
            state = State(task)
            await self.collaborators.pending.adopt(self.partition, state.begun_by)
            learner = self._make_learner(state, pending)
            resumed = Resumed(learner, pending, self.versions, await self._check_log(learner.state))
        notice = self._explain(resumed.learner.state.position)
        if notice is not None:
            log.warning("a shard is folded again", task=self.task.name, partition=self.partition, why=notice)
        return resumed._replace(notice=notice)

    def _explain(self, position: int) -> str | None:
        """Say why the log is folded again from `position`: which states do not fit the tables, which snapshots cannot be used."""
        reasons = [
            f"the states at {', '.join(map(str, positions))} do not fit {self.task.name}.{table}, which has lost entries"
            for table, positions in self._misfits.items()
        ]
        if self._skipped and not position:  # after a usable snapshot little is folded again, and a warning was logged
            (furthest, why), *more = self._skipped
            others = f" and {len(more)} others were" if more else " was"
            reasons.append(f"the snapshot at {furthest}{others} passed by ({why.rstrip('.')})")
        return f"{'; '.join(reasons)}: the log is folded again from {position}." if reasons else None

    async def _use(self, recovered: Recovered) -> Resumed | None:
        pending = ShardPending(self.collaborators.pending, self.partition)
        if not await self._fits(recovered.state, pending, self.versions):
            return None
        learner = self._make_learner(recovered.state, pending)
        current_at = await self._check_log(recovered.state)
        self.collaborators.snapshots.keep(self.partition, recovered.state.position, recovered.place)
        return Resumed(learner, pending, self.versions, current_at, recovered.size)

    def _make_learner(self, state: State, pending: ShardPending) -> Learner:
        supplies = Supplies(self.versions, self.lookahead.promises, self.collaborators.own_modules)
        return Learner(self.task, self.partition, state, pending, supplies)

    async def _check_log(self, state: State) -> float:
        """Check that the log is the one that the state has folded, and return when the state was up to date; LogError if it is another log."""
        await self.collaborators.log.check(self.partition, state.last, state.position)
        return known_from(state.clock, self.asked_at, self.collaborators.wall())

    async def _fits(self, state: State, pending: ShardPending, versions: ShardVersions) -> bool:
        """Say whether the tables have what belongs to this state: the pending table exactly its entries, the other one its versions.

        A table that has not is read anew once.
        """
        if state.defined_at is None and await self._find_first_definition() not in (None, state.definition):
            return False  # it was folded before the first owner had said by what
        if not await self._holds(state, pending):
            misfit = "pending"
        elif not await self._has_versions(state, versions):
            misfit = "versions"
        else:
            return True
        self._misfits.setdefault(misfit, []).append(state.position)
        return False

    async def _find_first_definition(self) -> bytes | None:
        return await self.lookahead.find_first_definition(self.collaborators.own_modules)

    async def _has_versions(self, state: State, versions: ShardVersions) -> bool:
        """Say whether a rollback can go to each version of this state: the fold of the log could."""
        digests = state.versions.digests
        if await versions.have(digests):
            return True
        await self.collaborators.versions.table.read_anew(self.partition)
        return await versions.have(digests)

    async def _holds(self, state: State, pending: ShardPending) -> bool:
        join = state.join
        await self.collaborators.pending.adopt(self.partition, state.begun_by)
        if join.oldest is None:
            return (join.entries, join.checksum) == (0, 0)
        wanted = join.oldest[0], state.step, join.entries, join.checksum
        try:
            if await pending.holds(*wanted):
                return True
            pending.close()
            await self.collaborators.pending.read_anew(self.partition)
            return await pending.holds(*wanted)
        finally:
            pending.close()  # an open view of the table would hold the database and its lock
