"""A shard on the worker that owns it: brings the messages to the learner in order, and its state to safety."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import structlog

from headrace.agents.collaborators import Collaborators
from headrace.agents.folding import folded
from headrace.agents.ordered_partition import OrderedPartition
from headrace.agents.progress import Progress
from headrace.agents.resume import Held, Resumption
from headrace.agents.saver import Saver
from headrace.agents.teller import Teller
from headrace.agents.ticker import Ticker
from headrace.learning.codes import AlertCode, ErrorCode
from headrace.learning.errors import HeadraceError, ReplacedError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task
from headrace.tables.pending import ShardPending

log = structlog.get_logger()

BREATH = 0.001
"""Seconds of folding after which requests are let in: well under the latency that is promised for them."""

FOLD: ErrorCode = "fold"
"""The code of a shard that anything else than an error of Headrace has stopped."""

STUCK_SECONDS = 1.0
"""How long a position may stand still, the log being ahead, before the messages are read from the log."""

Status = Literal["opening", "live", "stopped", "stale"]


class Shard(OrderedPartition):
    """One shard, from its assignment to this worker until it is revoked, or until a local database fails.

    Only a live shard folds. Every `await` may be the moment at which the shard is taken away, so after each the status is looked
    at again. A fold that raises stops this shard alone: the position stays, nothing more is saved, and the last model keeps
    answering. A failed database is another matter: `failed` is set, and `agents/shards.py` puts a new shard in the place of this one.

    Parameters
    ----------
    task, partition
        Which shard.
    collaborators
        Its collaborators.
    before
        The shard that failed and whose place this one takes: if its state is whole, this one goes on from there.
    """

    what = "a shard"

    def __init__(self, task: Task, partition: int, collaborators: Collaborators, before: "Shard | None" = None):
        super().__init__(collaborators.log, partition, {"task": task.name, "partition": partition})
        self.task = task
        self.collaborators = collaborators
        self.status: Status = "opening"
        self.code = ""  # of the error that has stopped it
        self.notice: str | None = before.notice if before else None
        self.failed = False
        self.learner: Learner | None = None
        self.pending: ShardPending | None = None
        self.teller = Teller(task.name, partition, collaborators.outlet)
        self.saver = self._make_saver()
        self._error = before.error if before else None
        self._before = before
        self.progress = Progress(collaborators.budget.clock)
        self._ticker: Ticker | None = None
        self._patience = 0.0  # what came while it was being opened was passed by, and is read at once

    @property
    def error(self) -> str | None:
        """Why the shard is stopped or cannot be opened yet, or why its last snapshot failed."""
        return self._error or self.saver.error

    @error.setter
    def error(self, error: str | None) -> None:
        self._error = error

    @property
    def staleness(self) -> float:
        """At most how many seconds of the log the model has not seen: since when it was last known to have folded all there was."""
        return self.progress.staleness(self.position)

    @property
    def held(self) -> Held | None:
        """The state, which another shard may go on with in the place of this one; None before there is one."""
        if self.learner is None or self.pending is None:
            return None
        return Held(self.learner, self.pending, self.taking)

    async def digest(self) -> tuple[int, str] | None:
        """The position and the digest of the state there; None when the shard stopped in the middle of a message, or takes too long."""
        while self.status == "live" and self.learner and not self.learner.between_messages:
            await asyncio.sleep(0)
        if self.learner is None or not self.learner.between_messages:
            return None
        return await self.saver.sealer.digest_in_time(self.learner.state, self.taking)

    @property
    def position(self) -> int:
        """The offset of the next message to fold."""
        return self.learner.state.position if self.learner else 0

    async def open(self) -> None:
        """Take up the furthest state that fits the log and the pending table.

        Snapshots that were all made by other makers, or a log that is another one, stop the shard.

        Raises
        ------
        Exception
            The tables or the log cannot be read yet: the old owner's lock, a broker that is away, a full disk. Try again.
        """
        collaborators, before = self.collaborators, self._before
        await collaborators.snapshots.table.open(self.partition)
        await collaborators.pending.open(self.partition)  # after the snapshots: what the furthest one needs is in it
        asked_at = collaborators.budget.clock()
        end = (await collaborators.log.ends([self.partition]))[self.partition]
        try:
            resumption = Resumption(self.task, self.partition, collaborators, asked_at)
            resumed = await resumption.find(before.held if before else None)
        except (StoreError, ReplacedError):
            raise
        except HeadraceError as error:
            await self.stop(error)
            return
        if resumed.is_held and before is not None:
            self.teller = before.teller
            self.saver = self._make_saver(before.saver)
        elif resumed.size is not None:
            self.saver.resume(resumed.learner.state, resumed.size)
        self.learner, self.pending, self._before = resumed.learner, resumed.pending, None
        if resumed.notice is not None:
            self.notice = resumed.notice
            self._alert("refolded", resumed.notice)
        self.saver.start(self.pending)
        self._ticker = Ticker(collaborators.log, self.partition, end, collaborators.budget.clock, collaborators.wall)
        self.progress.begin(self.position, end, asked_at, resumed.current_at)
        if self.saver.position:  # a crash may have come between the snapshot and its commit
            await collaborators.commit(self.partition, self.saver.position)
        if self.status == "opening":
            self.status, self.error = "live", None

    def _make_saver(self, before: Saver | None = None) -> Saver:
        return Saver(
            self.task,
            self.partition,
            self.collaborators,
            self.teller,
            is_live=lambda: self.status == "live",
            on_store_error=self._fail,
            before=before,
        )

    async def look_after(self) -> None:
        """Fold what was not delivered, and save and tick if it is time. Raises while the broker is away."""
        await self.catch_up(self._patience)
        await self.save_if_due()
        await self.tick_if_due()
        self._patience = STUCK_SECONDS

    async def catch_up(self, patience: float) -> None:
        """Fold what the log has and was not delivered: the position has not moved for `patience` seconds, and the log goes on."""
        asked_at, before, progress = self.collaborators.budget.clock(), self.position, self.progress
        end = (await self.collaborators.log.ends([self.partition]))[self.partition]
        progress.see(before, self.position, end, asked_at)
        if progress.is_short or (progress.is_idle and not self.taking.locked()):
            async with self.taking:
                await self.guard(self.compare())
        if self.position < end and progress.stands_for >= patience and not self.taking.locked():
            async with self.taking:
                await self.guard(self.read_gap(end))

    async def tick_if_due(self) -> None:
        """When the log is idle and something waits for a time that has come, append a tick: only times in the log count."""
        if self.status == "live" and self.learner is not None and self._ticker is not None:
            is_idle = self.position == self.progress.end and not self.taking.locked()
            await self._ticker.tick_if_due(self.learner, is_idle=is_idle)

    async def save_if_due(self) -> None:
        """Begin a snapshot when there is something to save and it is time."""
        if self.saver.is_due(self.position):
            async with self.taking:
                await self._save_if_due()

    async def leave(self) -> None:
        """Take a last snapshot, and wait until it is durable and committed."""
        async with self.taking:
            await self.saver.wait()
            if self.learner is not None and self.status == "live" and self.position > self.saver.position:
                await self.saver.begin(self.learner)
        await self.saver.wait()

    def close(self) -> None:
        """Fold no more. The last model stays, stale, to answer from."""
        self.status = "stale"
        self.saver.cancel()
        self.let_go()

    def let_go(self) -> None:
        """Close the databases."""
        if self.pending is not None:
            self.pending.close()
        self.collaborators.pending.close(self.partition)
        self.collaborators.snapshots.table.close(self.partition)

    async def _save_if_due(self) -> None:
        """As `save_if_due`; the caller holds the lock, and no message is folded in part."""
        if self.learner is not None and self.saver.is_due(self.position):
            await self.saver.begin(self.learner)

    async def handle(self, error: Exception) -> None:
        """Open the shard anew when a local database failed; stop it at any other error, which is a defect in a model or in the fold."""
        if isinstance(error, StoreError | ReplacedError):
            self._fail(error)
        else:
            await self.stop(error)

    def _fail(self, error: HeadraceError) -> None:
        """A local database failed: fold no more, and have another shard opened in the place of this one."""
        if self.status == "live":
            self.status, self.failed, self.error = "opening", True, str(error)
            log.warning("a shard is opened anew", task=self.task.name, partition=self.partition, error=self.error)

    async def compare(self) -> None:
        """Look whether the log is still the one that was folded. LogError if it is not."""
        if self.learner is not None and self.status == "live":
            await self.collaborators.log.check(self.partition, self.learner.state.last, self.position)
            self.progress.compared_at = self.collaborators.budget.clock()

    async def take(self, messages: Sequence[KafkaMessage]) -> None:
        """Fold messages, and publish their effects. Requests are let in every so often."""
        learner, clock = self.learner, self.collaborators.budget.clock
        assert learner is not None
        await self.teller.publish()  # effects that could not be published before must not become more and more
        breath = clock()
        for message in messages:
            if message.offset != self.position:
                await self.pass_over(message.offset)
                if self.status != "live":
                    return
            breathless = False
            for effects in folded(learner, message):
                self.teller.add(effects)
                if clock() - breath > BREATH:
                    breathless = True
                    await asyncio.sleep(0)
                    if self.status != "live":
                        return
                    breath = clock()
            await self.teller.publish()
            if self.pending is not None and self.pending.is_full:
                await self.pending.save()
            if breathless:
                await self._save_if_due()
            if self.status != "live":
                return

    async def pass_over(self, offset: int) -> None:
        """Step over offsets that hold no message, if that is known to be in order: transaction markers, aborted records."""
        if self.position < offset:
            await self.collaborators.log.check_hole(self.partition, self.position, offset)
            if self.learner is not None and self.status == "live":
                self.learner.pass_over(offset)

    async def stop(self, error: Exception) -> None:
        """Stop this shard alone, and say so where an operator looks: its status, the log, the signals."""
        if not self.halt(error):
            return
        self.code = error.code if isinstance(error, HeadraceError) else FOLD
        self._alert("shard_stopped", self.error or "")
        try:
            await self.teller.publish()
        except Exception as untold:  # noqa: BLE001 the status and the log have it
            log.warning("an alert was not told", error=repr(untold))

    def _alert(self, code: AlertCode, detail: str) -> None:
        """Have an alert told that is the shard's own, not the fold's."""
        clock = self.learner.state.clock if self.learner else 0
        self.teller.alert(code, detail, self.position, clock)
