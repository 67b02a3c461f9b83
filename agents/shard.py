"""A shard on the worker that owns it: brings the messages to the learner in order, and its state to safety."""

import asyncio
import math
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import aclosing, nullcontext
from typing import Literal

import structlog
from aiokafka.errors import KafkaError

from headrace.agents.collaborators import Collaborators
from headrace.agents.freshness import Freshness
from headrace.agents.log_clock import LogClock
from headrace.agents.resume import Resumed, Resumption
from headrace.agents.saver import Saver
from headrace.agents.teller import Teller
from headrace.learning.codes import AlertCode, ErrorCode
from headrace.learning.effects import Effect
from headrace.learning.errors import HeadraceError, ReplacedError, SnapshotError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task
from headrace.tables.pending import ShardPending

log = structlog.get_logger()

BREATH = 0.001
"""Seconds of folding after which requests are let in: well under the latency that is promised for them."""

FOLD: ErrorCode = "fold"
"""The code of a shard that anything else than an error of Headrace has stopped."""

TICK = b'{"control": "tick"}'
TICK_SECONDS = 1.0
"""How often a tick is appended at most."""

IDLE_CONFIRM_SECONDS = 10.0
"""How often an idle shard looks whether its log is still the one that it has folded."""

DIGEST_SECONDS = 2.0
"""How long a status may wait for the digest of a large state; without it the digest is null."""

Status = Literal["opening", "live", "stopped", "stale"]


class Shard:
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

    def __init__(self, task: Task, partition: int, collaborators: Collaborators, before: "Shard | None" = None):
        self.task = task
        self.partition = partition
        self.collaborators = collaborators
        self.status: Status = "opening"
        self.code = ""  # of the error that has stopped it
        self.notice: str | None = before.notice if before else None
        self.failed = False
        self.learner: Learner | None = None
        self.pending: ShardPending | None = None
        self.folding = asyncio.Lock()
        self.teller = Teller(task.name, partition, collaborators.outlet)
        self.saver = self._make_saver()
        self._error = before.error if before else None
        self._before = before
        self._seen_position = -1
        self._moved_at = 0.0
        self._freshness = Freshness(collaborators.budget.clock())
        self._digest: tuple[int, str] | None = None
        self._end = -1
        self._ticked_at = -math.inf
        self._log_clock: LogClock | None = None
        self._link: object = None
        self._confirmed_at = -math.inf

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
        return self._freshness.staleness(self.position, self.collaborators.budget.clock())

    async def digest(self) -> tuple[int, str] | None:
        """The position and the digest of the state there; None when the shard stopped in the middle of a message, or takes too long."""
        while self.status == "live" and self.learner and not self.learner.between_messages:
            await asyncio.sleep(0)
        if self.learner is None or not self.learner.between_messages:
            return None
        if self._digest is None or self._digest[0] != self.position:
            try:
                async with (
                    asyncio.timeout(DIGEST_SECONDS),
                    self.folding if not self.saver.sealer.is_quick else nullcontext(),
                ):
                    self._digest = self.position, await self.saver.sealer.digest(self.learner.state)
            except (TimeoutError, SnapshotError):  # it takes too long, or is larger than what may be saved
                return None
        return self._digest

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
        collaborators = self.collaborators
        await collaborators.snapshots.table.open(self.partition)
        await collaborators.pending.open(self.partition)  # after the snapshots: what the furthest one needs is in it
        asked = collaborators.budget.clock()
        end = (await collaborators.log.ends([self.partition]))[self.partition]
        try:
            resumed = await self._resume(asked)
        except (StoreError, ReplacedError):
            raise
        except HeadraceError as error:
            await self.stop(error)
            return
        self.learner, self.pending, self._before = resumed.learner, resumed.pending, None
        self._freshness.know(resumed.current_at)
        self.saver.start(self.pending)
        self._seen_position, self._confirmed_at = self.position, collaborators.budget.clock()
        self._moved_at = collaborators.budget.clock()
        self._log_clock = LogClock(end, collaborators.budget.clock)
        self._freshness.mark(end, asked)
        if self.position:  # a crash may have come between the snapshot and its commit
            await collaborators.commit(self.partition, self.position)
        if self.status == "opening":
            self.status, self.error = "live", None

    async def _resume(self, asked: float) -> Resumed:
        """Go on from the state of the shard before, if it is whole and fits; otherwise from that of the furthest snapshot that can be used."""
        resumption, before = Resumption(self.task, self.partition, self.collaborators, asked), self._before
        if before is not None and before.learner is not None and before.pending is not None:
            async with before.folding:  # until it has noticed that it folds no more
                is_whole = before.learner.between_messages
            if is_whole and (resumed := await resumption.try_held(before.learner, before.pending)) is not None:
                self.teller = before.teller
                self.saver = self._make_saver(before.saver)
                return resumed
        resumed = await resumption.find()
        if resumed.size is not None:
            self.saver.resume(resumed.learner.state, resumed.size)
        if (notice := resumption.explain(resumed.learner.state.position)) is not None:
            self.notice = notice
            log.warning("a shard is folded again", task=self.task.name, partition=self.partition, why=notice)
            self._alert("refolded", notice)
        return resumed

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

    async def deliver(self, messages: Sequence[KafkaMessage], link: object = None) -> None:
        """Fold these messages, reading from the log first whatever is missing before and between them.

        Parameters
        ----------
        messages
            Fetched together, in the order of their offsets.
        link
            Joins them to the messages delivered before, if those had the same: nothing can have happened to the log in between. Otherwise
            the log is looked at before they are folded, since it may be another one.
        """
        async with self.folding:
            await self._guarded(self._fold_delivered(messages, link))

    async def catch_up(self, patience: float) -> None:
        """Fold what the log has and was not delivered: the position has not moved for `patience` seconds, and the log goes on."""
        now, position = self.collaborators.budget.clock(), self.position
        self._end = end = (await self.collaborators.log.ends([self.partition]))[self.partition]
        if self._seen_position != self.position:
            self._seen_position, self._moved_at = self.position, now
        is_short, is_idle = end < position, now - max(self._confirmed_at, self._moved_at) >= IDLE_CONFIRM_SECONDS
        if is_short or (is_idle and not self.folding.locked()):
            async with self.folding:
                await self._guarded(self._confirm())
        if not is_short:
            self._freshness.mark(end, now)
        if self.position < end and now - self._moved_at >= patience and not self.folding.locked():
            async with self.folding:
                await self._guarded(self._read_gap(end))

    async def tick_if_due(self) -> None:
        """When the log is idle and something waits for a time that has come, append a tick: only times in the log count."""
        if self.status != "live" or self.learner is None or self._log_clock is None:
            return
        self._log_clock.see(self.position, self.learner.state.clock)
        now = self.collaborators.budget.clock()
        is_idle = self.position == self._end and not self.folding.locked()
        wall_ms = self.collaborators.wall() * 1000
        if is_idle and now - self._ticked_at >= TICK_SECONDS and self._log_clock.is_due(self.learner.due_at, wall_ms):
            self._ticked_at = now
            await self.collaborators.log.append(self.partition, TICK, self._log_clock.stamp(wall_ms))

    async def save_if_due(self) -> None:
        """Begin a snapshot when there is something to save and it is time."""
        if self.saver.is_due(self.position):
            async with self.folding:
                await self._save_if_due()

    async def save(self) -> None:
        """Take a snapshot now and wait until it is durable and committed."""
        async with self.folding:
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

    async def _guarded(self, fold: Coroutine[None, None, None]) -> None:
        try:
            await fold
        except (KafkaError, OSError) as error:
            # The broker is away. Nothing was folded that the position does not count: what is missing is read again.
            log.warning("the broker failed", task=self.task.name, partition=self.partition, error=repr(error))
        except (StoreError, ReplacedError) as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 a defect in a model or in the fold must not take the other shards along
            await self.stop(error)

    def _fail(self, error: HeadraceError) -> None:
        """A local database failed: fold no more, and have another shard opened in the place of this one."""
        if self.status == "live":
            self.status, self.failed, self.error = "opening", True, str(error)
            log.warning("a shard is opened anew", task=self.task.name, partition=self.partition, error=self.error)

    async def _confirm(self) -> None:
        """Raise LogError unless the log is still the one that was folded."""
        if self.learner is not None and self.status == "live":
            await self.collaborators.log.check(self.partition, self.learner.state.last, self.position)
            self._confirmed_at = self.collaborators.budget.clock()

    async def _fold_delivered(self, messages: Sequence[KafkaMessage], link: object) -> None:
        if self.status != "live" or messages[-1].offset < self.position:
            return
        if link is None or link is not self._link:
            await self._confirm()
            self._link = link
        await self._fold_all(messages)

    async def _fold_all(self, messages: Sequence[KafkaMessage]) -> None:
        learner, clock = self.learner, self.collaborators.budget.clock
        if learner is None or self.status != "live" or messages[-1].offset < learner.state.position:
            return
        await self.teller.publish()  # what could not be told before must not become more and more
        state, breath = learner.state, clock()
        for message in messages:
            if message.offset != state.position:
                if message.offset < state.position:
                    continue
                await self._read_gap(message.offset)
                if message.offset != state.position:
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

    async def _read_gap(self, end: int) -> None:
        learner = self.learner
        assert learner is not None
        where = {"task": self.task.name, "partition": self.partition, "position": self.position, "end": end}
        log.info("reading from the log what was not delivered", **where)
        await self._confirm()
        async with aclosing(self.collaborators.log.read(self.partition, self.position, end)) as messages:
            async for message in messages:
                if self.status != "live":
                    return
                if message.offset >= self.position:
                    await self._pass_over(message.offset)
                    await self._fold_all([message])
        if self.status == "live":
            await self._pass_over(end)

    async def _pass_over(self, offset: int) -> None:
        """Step over offsets that hold no message, if that is known to be in order: transaction markers, aborted records."""
        assert self.learner is not None
        if self.position < offset:
            await self.collaborators.log.check_hole(self.partition, self.position, offset)
            self.learner.pass_over(offset)

    async def stop(self, error: Exception) -> None:
        """Stop this shard alone, and say so where an operator looks: its status, the log, the signals."""
        if self.status not in ("opening", "live"):
            return
        self.status = "stopped"
        self.code = error.code if isinstance(error, HeadraceError) else FOLD
        self.error = str(error) if isinstance(error, HeadraceError) else repr(error)
        log.error("a shard is stopped", task=self.task.name, partition=self.partition, error=self.error, exc_info=error)
        self._alert("shard_stopped", self.error)
        try:
            await self.teller.publish()
        except Exception as untold:  # noqa: BLE001 the status and the log have it
            log.warning("an alert was not told", error=repr(untold))

    def _alert(self, code: AlertCode, detail: str) -> None:
        """Have an alert told that is the shard's own, not the fold's."""
        clock = self.learner.state.clock if self.learner else 0
        self.teller.alert(code, detail, self.position, clock)


def folded(learner: Learner, message: KafkaMessage) -> Iterator[list[Effect]]:
    """The effects of a message.

    Everything that a model raises is a defect of the model, even if it looks as if the broker was away, the task cancelled or the process told
    to exit: half a message is folded. River's Rust parts raise a PanicException, which is no Exception.
    """
    effects = learner.fold(message)
    while True:
        try:
            told = next(effects, None)
        except StoreError:
            raise
        except BaseException as error:
            msg = f"the fold failed at offset {message.offset}: {error!r}"
            raise RuntimeError(msg) from error
        if told is None:
            return
        yield told
