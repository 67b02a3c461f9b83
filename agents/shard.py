"""A shard on the worker that owns it: brings the messages to the learner in order, and its state to safety."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Literal

import structlog
from aiokafka.errors import KafkaError

from agents.around import Around
from agents.freshness import Freshness, known_from
from learning.effects import Alert, Effect
from learning.errors import HeadraceError, LogError
from learning.learner import Learner, Message
from learning.state import digest, seal, unseal
from learning.task import Task
from tables.pending import ShardPending

log = structlog.get_logger()

BREATH = 0.001
"""Seconds of folding after which requests are let in: well under the latency that is promised for them."""

TICK = b'{"control": "tick"}'
TICK_SECONDS = 1.0
"""How often a tick is appended at most."""

Status = Literal["opening", "live", "stopped", "stale"]


class Shard:
    """One shard, from its assignment to this worker until it is revoked.

    Only a live shard folds. Every `await` may be the moment at which the shard is taken away, so after each the status is looked
    at again. A fold that raises stops this shard alone: the position stays, nothing more is saved, and the last model keeps
    answering.

    Parameters
    ----------
    task, partition
        Which shard.
    around
        What it acts upon.
    """

    def __init__(self, task: Task, partition: int, around: Around):
        self.task = task
        self.partition = partition
        self.around = around
        self.status: Status = "opening"
        self.error: str | None = None
        self.learner: Learner | None = None
        self._folding = asyncio.Lock()
        self._untold: list[Effect] = []
        self._telling = asyncio.Lock()
        self._saving: asyncio.Task[None] | None = None
        self._saved_position = 0
        self._saved_at = 0.0
        self._seen_position = -1
        self._moved_at = 0.0
        self._freshness = Freshness(around.budget.clock())
        self._digest: tuple[int, str] | None = None
        self._pending: ShardPending | None = None
        self._end = -1
        self._ticked_at = 0.0

    @property
    def staleness(self) -> float:
        """At most how many seconds of the log the model has not seen: since when it was last known to have folded all there was."""
        return self._freshness.staleness(self.position, self.around.budget.clock())

    async def digest(self) -> tuple[int, str] | None:
        """The position and the digest of the state there; None when the shard stopped in the middle of a message."""
        while self.status == "live" and self.learner and not self.learner.between_messages:
            await asyncio.sleep(0)
        if self.learner is None or not self.learner.between_messages:
            return None
        if self._digest is None or self._digest[0] != self.position:
            self._digest = self.position, digest(self.learner.state)
        return self._digest

    @property
    def position(self) -> int:
        """The offset of the next message to fold."""
        return self.learner.state.position if self.learner else 0

    async def open(self) -> None:
        """Take up the furthest snapshot. Raises while the table cannot be opened yet: the old owner's lock, a broker away.

        A snapshot that is refused, or that is further than the log itself, stops the shard.
        """
        around = self.around
        await around.snapshots.table.open(self.partition)
        await around.pending.open(self.partition)  # after the snapshots: what the furthest one needs is in it
        asked = around.budget.clock()
        end = (await around.log.ends([self.partition]))[self.partition]
        try:
            self.learner = self._take_up(end)
        except HeadraceError as error:
            await self._stop(error)
            return
        self._saved_position = self._seen_position = self.position
        self._saved_at = self._moved_at = around.budget.clock()
        self._freshness.know(known_from(self.learner.state.clock, asked, around.wall()))
        self._freshness.mark(end, asked)
        if self.status == "opening":
            self.status = "live"
            if self.position:  # a crash may have come between the snapshot and its commit
                await around.commit(self.partition, self.position)

    def _take_up(self, end: int) -> Learner:
        self._pending = ShardPending(self.around.pending, self.partition)
        found = self.around.snapshots.load(self.partition)
        if found is None:
            return Learner(self.task, self.partition, pending=self._pending)
        state = unseal(found[1], self.task, self.partition, key=self.around.key, also=self.around.also)
        if state.position > end:
            raise LogError(
                f"{self.task.events}/{self.partition} ends at {end}, but there is a snapshot for position {state.position}: "
                "it is of another log.",
                f"If the log was made anew, delete {self.task.name}.snapshots and {self.task.name}.pending too and start again.",
            )
        return Learner(self.task, self.partition, state, self._pending)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Fold these messages, reading from the log first whatever is missing before and between them."""
        async with self._folding:
            await self._guarded(self._fold_all(messages))

    async def catch_up(self, patience: float) -> None:
        """Fold what the log has and was not delivered: the position has not moved for `patience` seconds, and the log goes on."""
        now = self.around.budget.clock()
        self._end = end = (await self.around.log.ends([self.partition]))[self.partition]
        self._freshness.mark(end, now)
        if self._seen_position != self.position:
            self._seen_position, self._moved_at = self.position, now
        elif self.position < end and now - self._moved_at >= patience and not self._folding.locked():
            async with self._folding:
                await self._guarded(self._read_gap(end))

    async def tick_if_due(self) -> None:
        """When the log is idle and something waits for a time that has come, append a tick: only times in the log count."""
        now = self.around.wall()
        if self.status != "live" or self.learner is None or now - self._ticked_at < TICK_SECONDS:
            return
        if self.learner.due_at <= now * 1000 and self.position == self._end and not self._folding.locked():
            self._ticked_at = now
            await self.around.log.append(self.partition, TICK)

    async def save_if_due(self) -> None:
        """Begin a snapshot when there is something to save and it is time."""
        if self._is_due():
            async with self._folding:
                if self._is_due():
                    self._begin_save()

    async def save(self) -> None:
        """Take a snapshot now and wait until it is durable and committed."""
        async with self._folding:
            if self._saving:
                await asyncio.wait([self._saving])
            if self.status == "live" and self.position > self._saved_position:
                self._begin_save()
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
        self.around.pending.close(self.partition)
        self.around.snapshots.table.close(self.partition)

    def _is_due(self) -> bool:
        """Whether there are enough messages or enough seconds since the last snapshot, and the budget allows one."""
        unsaved = self.position - self._saved_position
        if not unsaved or self.status != "live" or (self._saving and not self._saving.done()):
            return False
        around = self.around
        waited = around.budget.clock() - self._saved_at
        return (unsaved >= around.snapshot_records or waited >= around.snapshot_seconds) and around.budget.is_free()

    async def _guarded(self, fold: Coroutine[None, None, None]) -> None:
        try:
            await fold
        except (KafkaError, OSError) as error:
            # The broker is away. Nothing was folded that the position does not count: what is missing is read again.
            log.warning("the broker failed", task=self.task.name, partition=self.partition, error=repr(error))
        except Exception as error:  # noqa: BLE001 a defect in a model or in the fold must not take the other shards along
            await self._stop(error)

    async def _fold_all(self, messages: Sequence[Message]) -> None:
        learner, clock = self.learner, self.around.budget.clock
        if learner is None or self.status != "live" or messages[-1].offset < learner.state.position:
            return
        await self._tell()  # what could not be told before must not become more and more
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
                self._untold += effects
                if clock() - breath > BREATH:
                    breathless = True
                    await asyncio.sleep(0)
                    if self.status != "live":
                        return
                    breath = clock()
            if self._untold:
                await self._tell()
            if self._pending is not None and self._pending.is_full:
                await self._pending.save()
            if breathless and self._is_due():
                self._begin_save()
            if self.status != "live":
                return

    async def _read_gap(self, end: int) -> None:
        learner = self.learner
        assert learner is not None
        where = {"task": self.task.name, "partition": self.partition, "position": self.position, "end": end}
        log.info("reading from the log what was not delivered", **where)
        async for message in self.around.log.read(self.partition, self.position, end):
            if self.status != "live":
                return
            if message.offset >= self.position:
                learner.pass_over(message.offset)
                await self._fold_all([message])
        if self.status == "live":
            learner.pass_over(end)

    async def _tell(self) -> None:
        """Hand over the effects in their order; those that could not be handed over are kept for the next time."""
        async with self._telling:
            while self._untold:
                effects = self._untold[:]
                await self.around.outlet.tell(self.partition, effects)
                del self._untold[: len(effects)]

    def _begin_save(self) -> None:
        learner, around = self.learner, self.around
        assert learner is not None
        assert learner.between_messages
        started = self._saved_at = around.budget.clock()
        try:
            sealed = seal(learner.state, self.task, self.partition, writer=around.writer, key=around.key)
        except Exception as error:  # noqa: BLE001 a user's model that cannot be saved, however it fails, goes on learning, and says so
            self.error = f"no snapshot can be taken: {error if isinstance(error, HeadraceError) else repr(error)}"
            log.error("no snapshot can be taken", task=self.task.name, partition=self.partition, error=self.error)  # noqa: TRY400
            return
        finally:
            around.budget.spend(around.budget.clock() - started)
        self._saving = asyncio.create_task(self._store(self.position, learner.state.clock, sealed))

    async def _store(self, position: int, clock: int, sealed: bytes) -> None:
        """Told before durable, durable before committed."""
        around = self.around
        try:
            await self._tell()
            await around.outlet.flush(self.partition)
            if self._pending is not None:
                await self._pending.save()
            await around.snapshots.save(self.partition, position, sealed)
            self._saved_position, self.error = position, None
            if self.status == "live":
                await around.commit(self.partition, position)
                await around.pending.purge(self.partition, clock)
        except Exception as error:  # noqa: BLE001 the log still has it all, and the next snapshot is soon
            log.warning("a snapshot was not saved", task=self.task.name, partition=self.partition, error=repr(error))
            if self.status == "live":
                self.error = f"the last snapshot was not saved: {error!r}"

    async def _stop(self, error: Exception) -> None:
        """Stop this shard alone, and say so where an operator looks: its status, the log, the signals."""
        if self.status not in ("opening", "live"):
            return
        self.status = "stopped"
        self.error = str(error) if isinstance(error, HeadraceError) else repr(error)
        log.error("a shard is stopped", task=self.task.name, partition=self.partition, error=self.error, exc_info=error)
        time = self.learner.state.clock / 1000 if self.learner else 0.0
        name = f"{self.task.name}/{self.partition}/{self.position}/0/stopped"
        alert = Alert(id=name, code="shard_stopped", detail=self.error, time=time)
        try:
            self._untold.append(alert)
            await self._tell()
        except Exception as untold:  # noqa: BLE001 the status and the log have it
            log.warning("an alert was not told", error=repr(untold))


def folded(learner: Learner, message: Message) -> Iterator[list[Effect]]:
    """The effects of a message. What a model raises is a defect, even if it looks as if the broker was away: half a message is folded."""
    try:
        yield from learner.fold(message)
    except (KafkaError, OSError) as error:
        msg = f"the fold failed: {error!r}"
        raise RuntimeError(msg) from error
