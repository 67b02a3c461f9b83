"""A shard on the worker that owns it: brings the messages to the learner in order, and its state to safety."""

import asyncio
import math
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import aclosing, nullcontext
from functools import partial
from typing import Literal

import structlog
from aiokafka.errors import KafkaError

from headrace.agents.collaborators import Collaborators
from headrace.agents.freshness import Freshness, known_from
from headrace.agents.log_clock import LogClock
from headrace.agents.recovery import Recovered, recover
from headrace.agents.sealer import Sealer
from headrace.agents.teller import Teller
from headrace.learning.codes import AlertCode, ErrorCode
from headrace.learning.effects import Effect
from headrace.learning.errors import HeadraceError, ReplacedError, SnapshotError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.state import State
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
        self.error: str | None = before.error if before else None
        self.code = ""  # of the error that has stopped it
        self.notice: str | None = before.notice if before else None
        self.failed = False
        self.learner: Learner | None = None
        self.sealer = Sealer(collaborators.budget)
        self._before = before
        self._folding = asyncio.Lock()
        self.teller = Teller(task.name, partition, collaborators.outlet)
        self._saving: asyncio.Task[None] | None = None
        self._saved_position = 0
        self._saved_at = 0.0
        self._saved_clock = 0
        self._seen_position = -1
        self._moved_at = 0.0
        self._freshness = Freshness(collaborators.budget.clock())
        self._digest: tuple[int, str] | None = None
        self._pending: ShardPending | None = None
        self._end = -1
        self._ticked_at = -math.inf
        self._log_clock: LogClock | None = None
        self._link: object = None
        self._confirmed_at = -math.inf

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
                    self._folding if not self.sealer.is_quick else nullcontext(),
                ):
                    self._digest = self.position, await self.sealer.digest(self.learner.state)
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
            learner = await self._take_up(asked)
        except (StoreError, ReplacedError):
            raise
        except HeadraceError as error:
            await self.stop(error)
            return
        self.learner = learner
        self._seen_position, self._confirmed_at = self.position, collaborators.budget.clock()
        self._saved_at = self._moved_at = collaborators.budget.clock()
        self._log_clock = LogClock(end, collaborators.budget.clock)
        self._freshness.mark(end, asked)
        if self.position:  # a crash may have come between the snapshot and its commit
            await collaborators.commit(self.partition, self.position)
        if self.status == "opening":
            self.status, self.error = "live", None

    async def _take_up(self, asked: float) -> Learner:
        """A learner with the furthest state whose waiting entries are in the pending table; a new one if there is none.

        Parameters
        ----------
        asked
            When the log was asked for its end.
        """
        before, misfits = self._before, []
        if before is not None and before.learner is not None and before._pending is not None:  # noqa: SLF001 one class
            async with before._folding:  # noqa: SLF001 until it has noticed that it folds no more
                is_whole = before.learner.between_messages
            if is_whole and await self._fits(before.learner.state, before._pending):  # noqa: SLF001
                self._before = None
                self.sealer = before.sealer
                self._pending, self.teller = before._pending, before.teller  # noqa: SLF001
                self._saved_position, self._saved_clock = before._saved_position, before._saved_clock  # noqa: SLF001
                return await self._recognised(before.learner, asked)
            misfits += [before.position] if is_whole else []
        self._before = None
        passed: list[tuple[int, str]] = []
        learner = await recover(self.collaborators, self.partition, partial(self._use, misfits, asked), passed=passed)
        if learner is None:
            self._pending = ShardPending(self.collaborators.pending, self.partition)
            learner = await self._recognised(Learner(self.task, self.partition, pending=self._pending), asked)
        self._note(misfits, passed, learner.state.position)
        return learner

    async def _use(self, misfits: list[int], asked: float, found: Recovered) -> Learner | None:
        """Make a learner with this state. If the pending table lacks entries that the state needs, note its position and return None."""
        state, pending = found.state, ShardPending(self.collaborators.pending, self.partition)
        if not await self._fits(state, pending):
            misfits.append(state.position)
            return None
        learner = await self._recognised(Learner(self.task, self.partition, state, pending), asked)
        self.sealer.size = found.size
        self.collaborators.snapshots.keep(self.partition, state.position, found.place)
        self._saved_position, self._saved_clock = state.position, state.clock
        self._pending = pending
        return learner

    async def _recognised(self, learner: Learner, asked: float) -> Learner:
        """The learner, if the log is the one that it has folded; LogError otherwise."""
        state = learner.state
        await self.collaborators.log.check(self.partition, state.last, state.position)
        self._freshness.know(known_from(state.clock, asked, self.collaborators.wall()))
        return learner

    async def _fits(self, state: State, pending: ShardPending) -> bool:
        """Whether the pending table has just the entries that wait in this state. A table that has not is read anew once."""
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
            pending.close()  # what is read goes on holding the database, and with it the lock

    def _note(self, misfits: list[int], passed: list[tuple[int, str]], position: int) -> None:
        """Say that states were not taken up: entries that wait in them are not in the pending table, or their snapshots cannot be used."""
        whys = []
        if misfits:
            whys.append(
                f"the states at {', '.join(map(str, misfits))} do not fit {self.task.name}.pending, which has lost entries"
            )
        if passed and not position:  # where another one was used, little is folded again, and the log has it
            (furthest, why), *more = passed
            others = f" and {len(more)} others were" if more else " was"
            whys.append(f"the snapshot at {furthest}{others} passed by ({why.rstrip('.')})")
        if not whys:
            return
        self.notice = f"{'; '.join(whys)}: the log is folded again from {position}."
        log.warning("a shard is folded again", task=self.task.name, partition=self.partition, why=self.notice)
        self._alert("refolded", self.notice)

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
        async with self._folding:
            await self._guarded(self._fold_delivered(messages, link))

    async def catch_up(self, patience: float) -> None:
        """Fold what the log has and was not delivered: the position has not moved for `patience` seconds, and the log goes on."""
        now, position = self.collaborators.budget.clock(), self.position
        self._end = end = (await self.collaborators.log.ends([self.partition]))[self.partition]
        if self._seen_position != self.position:
            self._seen_position, self._moved_at = self.position, now
        is_short, is_idle = end < position, now - max(self._confirmed_at, self._moved_at) >= IDLE_CONFIRM_SECONDS
        if is_short or (is_idle and not self._folding.locked()):
            async with self._folding:
                await self._guarded(self._confirm())
        if not is_short:
            self._freshness.mark(end, now)
        if self.position < end and now - self._moved_at >= patience and not self._folding.locked():
            async with self._folding:
                await self._guarded(self._read_gap(end))

    async def tick_if_due(self) -> None:
        """When the log is idle and something waits for a time that has come, append a tick: only times in the log count."""
        if self.status != "live" or self.learner is None or self._log_clock is None:
            return
        self._log_clock.see(self.position, self.learner.state.clock)
        now = self.collaborators.budget.clock()
        is_idle = self.position == self._end and not self._folding.locked()
        wall_ms = self.collaborators.wall() * 1000
        if is_idle and now - self._ticked_at >= TICK_SECONDS and self._log_clock.is_due(self.learner.due_at, wall_ms):
            self._ticked_at = now
            await self.collaborators.log.append(self.partition, TICK, self._log_clock.stamp(wall_ms))

    async def save_if_due(self) -> None:
        """Begin a snapshot when there is something to save and it is time."""
        if self._is_due():
            async with self._folding:
                if self._is_due():
                    await self._begin_save()

    async def save(self) -> None:
        """Take a snapshot now and wait until it is durable and committed."""
        async with self._folding:
            if self._saving:
                await asyncio.wait([self._saving])
            if self.status == "live" and self.position > self._saved_position:
                await self._begin_save()
        if self._saving:
            await self._saving

    def close(self) -> None:
        """Fold no more. The last model stays, stale, to answer from."""
        self.status = "stale"
        if self._saving:
            self._saving.cancel()
        self.let_go()

    def let_go(self) -> None:
        """Close the databases."""
        if self._pending is not None:
            self._pending.close()
        self.collaborators.pending.close(self.partition)
        self.collaborators.snapshots.table.close(self.partition)

    def _is_due(self) -> bool:
        """Whether there are enough messages or enough seconds since the last snapshot, and the budget allows one."""
        unsaved = self.position - self._saved_position
        if not unsaved or self.status != "live" or (self._saving and not self._saving.done()):
            return False
        collaborators = self.collaborators
        waited = collaborators.budget.clock() - self._saved_at
        return (
            unsaved >= collaborators.snapshot_records or waited >= collaborators.snapshot_seconds
        ) and collaborators.budget.is_free()

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
            if self._pending is not None and self._pending.is_full:
                await self._pending.save()
            if breathless and self._is_due():
                await self._begin_save()
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

    async def _begin_save(self) -> None:
        """Seal the state, which must not change meanwhile, and begin to store it; the caller holds the folding lock."""
        learner, collaborators = self.learner, self.collaborators
        assert learner is not None
        assert learner.between_messages
        self._saved_at = collaborators.budget.clock()
        try:
            sealed = await self.sealer.seal(
                learner.state, self.task, self.partition, writer=collaborators.writer, key=collaborators.key
            )
        except Exception as error:  # noqa: BLE001 a user's model that cannot be saved, however it fails, goes on learning, and says so
            self.error = f"no snapshot can be taken: {error if isinstance(error, HeadraceError) else repr(error)}"
            log.error("no snapshot can be taken", task=self.task.name, partition=self.partition, error=self.error)  # noqa: TRY400
            return
        if growth := self.sealer.find_growth():
            self._alert("state_large", growth)
        if self.status == "live":
            self._saving = asyncio.create_task(self._store(self.position, learner.state.clock, sealed))

    async def _store(self, position: int, clock: int, sealed: bytes) -> None:
        """Told before durable, durable before committed."""
        collaborators = self.collaborators
        try:
            await self.teller.flush()
            if self._pending is not None:
                await self._pending.save()
            await collaborators.snapshots.save(self.partition, position, sealed)
            before, self._saved_position, self._saved_clock = self._saved_clock, position, clock
            if self.status == "live":
                self.error = None
                await collaborators.commit(self.partition, position)
                await collaborators.pending.purge(self.partition, before)
        except (StoreError, ReplacedError) as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 the log still has it all, and the next snapshot is soon
            log.warning("a snapshot was not saved", task=self.task.name, partition=self.partition, error=repr(error))
            if self.status == "live":
                self.error = f"the last snapshot was not saved: {error!r}"

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
