"""Finds the state with which a shard goes on when it is opened, and says which states could not be used."""

import asyncio
from typing import NamedTuple

import structlog

from headrace.agents.collaborators import Collaborators
from headrace.agents.freshness import known_from
from headrace.agents.recovery import Recovered, recover
from headrace.learning.fold.learner import Learner
from headrace.learning.state import State
from headrace.learning.task import Task
from headrace.tables.pending import ShardPending

log = structlog.get_logger()


class Held(NamedTuple):
    """The state that a failed shard still holds in memory, and the lock under which it folded."""

    learner: Learner
    pending: ShardPending
    lock: asyncio.Lock


class Resumed(NamedTuple):
    """The state with which a shard goes on when it is opened.

    Parameters
    ----------
    learner, pending
        A learner with the state, and the pending table with the entries of the state.
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
    current_at: float
    size: int | None = None
    is_held: bool = False
    notice: str | None = None


class Resumption:
    """Looks for the furthest state of a shard that fits its event log and its pending table, when the shard is opened.

    Parameters
    ----------
    task, partition
        The task and the partition of the shard.
    collaborators
        The collaborators of the shard, whose databases are open.
    asked_at
        When the end of the log was looked up.
    """

    def __init__(self, task: Task, partition: int, collaborators: Collaborators, asked_at: float):
        self.task, self.partition, self.collaborators, self.asked_at = task, partition, collaborators, asked_at
        self._misfits: list[int] = []
        self._skipped: list[tuple[int, str]] = []

    async def find(self, held: Held | None = None) -> Resumed:
        """Find the state to go on with: the state held in memory if it is whole and fits, else that of the furthest snapshot, else a new one.

        Raises as `recover` does.
        """
        if held is not None:
            async with held.lock:  # the failed shard may still fold a message
                is_whole = held.learner.between_messages
            if is_whole and await self._fits(held.learner.state, held.pending):
                return Resumed(held.learner, held.pending, await self._check_log(held.learner.state), is_held=True)
        resumed = await recover(self.collaborators, self.partition, self._use, skipped=self._skipped)
        if resumed is None:
            pending = ShardPending(self.collaborators.pending, self.partition)
            learner = Learner(self.task, self.partition, pending=pending)
            resumed = Resumed(learner, pending, await self._check_log(learner.state))
        notice = self._explain(resumed.learner.state.position)
        if notice is not None:
            log.warning("a shard is folded again", task=self.task.name, partition=self.partition, why=notice)
        return resumed._replace(notice=notice)

    def _explain(self, position: int) -> str | None:
        """Say why the log is folded again from `position`: which states do not fit the pending table, which snapshots cannot be used."""
        reasons = []
        if self._misfits:
            reasons.append(
                f"the states at {', '.join(map(str, self._misfits))} do not fit {self.task.name}.pending, which has lost entries"
            )
        if self._skipped and not position:  # after a usable snapshot little is folded again, and a warning was logged
            (furthest, why), *more = self._skipped
            others = f" and {len(more)} others were" if more else " was"
            reasons.append(f"the snapshot at {furthest}{others} passed by ({why.rstrip('.')})")
        return f"{'; '.join(reasons)}: the log is folded again from {position}." if reasons else None

    async def _use(self, recovered: Recovered) -> Resumed | None:
        pending = ShardPending(self.collaborators.pending, self.partition)
        if not await self._fits(recovered.state, pending):
            return None
        learner = Learner(self.task, self.partition, recovered.state, pending)
        current_at = await self._check_log(recovered.state)
        self.collaborators.snapshots.keep(self.partition, recovered.state.position, recovered.place)
        return Resumed(learner, pending, current_at, recovered.size)

    async def _check_log(self, state: State) -> float:
        """Check that the log is the one that the state has folded, and return when the state was up to date; LogError if it is another log."""
        await self.collaborators.log.check(self.partition, state.last, state.position)
        return known_from(state.clock, self.asked_at, self.collaborators.wall())

    async def _fits(self, state: State, pending: ShardPending) -> bool:
        """Say whether the pending table has exactly the entries of this state. If it has not, the table is read anew once."""
        fits = await self._holds(state, pending)
        if not fits:
            self._misfits.append(state.position)
        return fits

    async def _holds(self, state: State, pending: ShardPending) -> bool:
        join = state.join
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
