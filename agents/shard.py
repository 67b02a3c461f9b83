"""A shard on the worker that owns it: folds the messages of its partition in order, publishes their effects and saves its state."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Literal

import structlog

from headrace.agents.breaker import Breaker
from headrace.agents.collaborators import Collaborators
from headrace.agents.feature_changes import FeatureChanges
from headrace.agents.first_definition import FirstDefinition
from headrace.agents.folding import folded
from headrace.agents.jobs.runner import ShardJobs
from headrace.agents.jobs.status import JobStatus
from headrace.agents.lookahead import Lookahead, Waiting
from headrace.agents.mirroring import ShardMirror
from headrace.agents.ordered_partition import OrderedPartition
from headrace.agents.placement import Placement
from headrace.agents.progress import Progress
from headrace.agents.resume import Held, Resumption
from headrace.agents.saver import Saver
from headrace.agents.sealer import Digests
from headrace.agents.teller import Teller
from headrace.agents.ticker import Ticker
from headrace.learning.arms import absent_arms, say_absent
from headrace.learning.codes import AlertCode, ErrorCode
from headrace.learning.errors import DefinitionError, HeadraceError, ReplacedError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task, Value
from headrace.tables.pending import ShardPending
from headrace.tables.versions import ShardVersions

log = structlog.get_logger()

FOLD: ErrorCode = "fold"
"""The code of a shard that was stopped by an exception that is not a HeadraceError."""

RUN_MAX = 256
"""Messages that are taken together from the log, where they were not delivered."""

OwnedState = Literal["opening", "live", "stopped", "stale"]
"""The states of a shard on the worker that owns it. A shard that was closed there is `stale`."""


class HeldBack(Exception):
    """The learner waits at a control record. What comes after it stays in the log, and is read when the shard goes on."""


class Shard(OrderedPartition):
    """Folds one shard, from its assignment to this worker until it is revoked, or until a local database fails.

    Only a live shard folds. The shard may be revoked during any `await`, so its status is checked again after each. A fold that raises
    stops this shard alone: the position stays, nothing more is saved, and the last model keeps answering. If a database fails, `failed` is
    set, and `agents/shards.py` replaces this shard by a new one.

    Parameters
    ----------
    task, partition
        The task and the partition of the shard.
    collaborators
        The collaborators of the shard.
    predecessor
        The failed shard that this one replaces, if there is one. If its state is whole, this shard goes on from that state.
    """

    what = "a shard"
    run_max = RUN_MAX

    def __init__(self, task: Task, partition: int, collaborators: Collaborators, predecessor: "Shard | None" = None):
        where = {"task": task.name, "partition": partition}
        super().__init__(collaborators.log, partition, where, collaborators.telemetry)
        self.task = task
        self.collaborators = collaborators
        self.status: OwnedState = "opening"
        self.code = ""  # the code of the error that has stopped the shard
        self.notice: str | None = predecessor.notice if predecessor else None
        self.failed = False
        self.learner: Learner | None = None
        self.pending: ShardPending | None = None
        self.versions: ShardVersions | None = None
        self.lookahead: Lookahead = (
            predecessor.lookahead if predecessor else Lookahead(collaborators.log, partition, task)
        )
        self.jobs: ShardJobs | None = None
        self.mirroring: ShardMirror | None = predecessor.mirroring if predecessor else None
        self.placement: Placement | None = None
        if task.partitions > 1:
            self.placement = (predecessor and predecessor.placement) or Placement(
                partition, task.partitions, collaborators.wall()
            )
        self.feature_changes: FeatureChanges = predecessor.feature_changes if predecessor else FeatureChanges()
        self._last_sample: Mapping[str, Value] | None = None
        self.waiting: Waiting | None = None
        self._waiting_since = 0.0
        self.teller = Teller(task.name, partition, collaborators.outlet, collaborators.telemetry)
        self.saver = self._make_saver()
        self._error = predecessor.error if predecessor else None
        self._predecessor = predecessor
        self.progress = Progress(collaborators.budget.clock, collaborators.pace)
        self._ticker: Ticker | None = None
        self._definition: FirstDefinition | None = None
        self._breaker = Breaker(collaborators.log, partition, collaborators.budget.clock)
        self._patience = 0.0  # messages that came during the opening were ignored, so they are read at once

    @property
    def error(self) -> str | None:
        """Return why the shard is stopped or cannot be opened yet, or else why its last snapshot failed."""
        return self._error or self.saver.error

    @error.setter
    def error(self, error: str | None) -> None:
        self._error = error

    @property
    def staleness(self) -> float:
        """Return an upper bound of the seconds of the log that the model has not folded."""
        return self.progress.staleness(self.position)

    @property
    def held(self) -> Held | None:
        """Return the state for a shard that replaces this one; None if there is no state yet."""
        if self.learner is None or self.pending is None or self.versions is None:
            return None
        return Held(self.learner, self.pending, self.versions, self.taking)

    @property
    def waits_for(self) -> float:
        """Return for how many seconds the shard has been waiting at a control record."""
        return 0.0 if self.waiting is None else self.collaborators.budget.clock() - self._waiting_since

    async def digests(self) -> Digests | None:
        """Return the digests of the state and of its arms; None if the shard stopped within a message, or if they take too long."""
        while self.status == "live" and self.learner and not self.learner.between_messages:
            await asyncio.sleep(0)
        if self.learner is None or not self.learner.between_messages:
            return None
        return await self.saver.sealer.digests_in_time(self.learner.state, self.taking)

    @property
    def position(self) -> int:
        """Return the offset of the next message to fold."""
        return self.learner.state.position if self.learner else 0

    async def open(self) -> None:
        """Open the tables, and go on from the furthest state that fits the log and the pending table.

        The shard stops if all snapshots have another configuration, library version or format, or if the log is another log.

        Raises
        ------
        Exception
            The tables or the log cannot be read yet: the old owner holds the lock, the broker is away, the disk is full. Try again.
        """
        collaborators, predecessor = self.collaborators, self._predecessor
        await collaborators.snapshots.table.open(self.partition)
        await collaborators.pending.open(self.partition)  # second: it must have what the furthest snapshot needs
        await collaborators.versions.table.open(self.partition)
        asked_at = collaborators.budget.clock()
        end = (await collaborators.log.ends([self.partition]))[self.partition]
        try:
            resumption = Resumption(self.task, self.partition, collaborators, asked_at, self.lookahead)
            resumed = await resumption.find(predecessor.held if predecessor else None)
        except (StoreError, ReplacedError):
            raise
        except HeadraceError as error:
            await self.stop(error)
            return
        if resumed.is_held and predecessor is not None:
            self.teller = predecessor.teller
            self.saver = self._make_saver(predecessor.saver)
        elif resumed.size is not None:
            self.saver.resume(resumed.learner, resumed.size)
        self.learner, self.pending, self._predecessor = resumed.learner, resumed.pending, None
        self.versions = resumed.versions
        if resumed.notice is not None:
            self.notice = resumed.notice
            self._alert("refolded", resumed.notice)
        self.saver.start(self.pending, self.versions)
        clock, wall = collaborators.budget.clock, collaborators.wall
        self._ticker = Ticker(collaborators.log, self.partition, end, clock, wall, pace=collaborators.pace)
        self._definition = FirstDefinition(collaborators.log, self.partition, end, clock)
        if collaborators.launch is not None:
            self.jobs = ShardJobs(collaborators.log, self.partition, collaborators.launch, clock)
        if collaborators.versions.mirror is not None and self.mirroring is None:
            self.mirroring = ShardMirror(
                self.task,
                self.partition,
                collaborators.versions.mirror,
                collaborators.key,
                collaborators.budget.clock,
            )
        self.progress.begin(self.position, end, asked_at, resumed.current_at)
        if self.saver.position:  # a crash may have come between the snapshot and its commit
            await collaborators.commit(self.partition, self.saver.position)
        # A log without messages has its definition in front of all that is sent to a live shard.
        await self._definition.write_if_missing(self.learner)
        if self.status == "opening":
            self.status, self.error = "live", None
        for name, version in absent_arms(self.learner.task, self.partition, self.learner.state.arms).items():
            log.warning(
                "an arm is not there",
                task=self.task.name,
                partition=self.partition,
                why=say_absent(self.task.name, name, version),
            )

    def _make_saver(self, predecessor: Saver | None = None) -> Saver:
        return Saver(
            self.task,
            self.partition,
            self.collaborators,
            self.teller,
            is_live=lambda: self.status == "live",
            on_store_error=self._fail,
            predecessor=predecessor,
        )

    async def look_after(self) -> None:
        """Fold what was not delivered; save, define, tick, tend to the jobs and copy versions if it is time. Raises while the broker is away."""
        await self.catch_up(self._patience)
        await self.save_if_due()
        await self.define_if_missing()
        await self.tend_jobs()
        self.copy_versions()
        await self.tick_if_due()
        self._patience = self.collaborators.pace.stuck

    async def catch_up(self, patience: float) -> None:
        """Read messages that were not delivered from the log: it is ahead, and the position has not moved for `patience` seconds."""
        asked_at, before, progress = self.collaborators.budget.clock(), self.position, self.progress
        end = (await self.collaborators.log.ends([self.partition]))[self.partition]
        progress.see(before, self.position, end, asked_at)
        if progress.is_short or (progress.is_idle and not self.taking.locked()):
            async with self.taking:
                await self.guard(self.compare())
        if self.position < end and progress.standstill >= patience and not self.taking.locked():
            async with self.taking:
                await self.guard(self.read_gap(end))

    async def define_if_missing(self) -> None:
        """Append the definition by which the log is folded, if it has none."""
        if self.status == "live" and self.learner is not None and self._definition is not None:
            await self._definition.write_if_missing(self.learner)

    async def tend_jobs(self) -> None:
        """Begin the jobs that the state asks for, end those that it asks for no more, and the pause that a breaker has begun."""
        if self.status != "live" or self.learner is None:
            return
        if self.jobs is not None:
            await self.jobs.tend(self.learner, self.waiting, self.waits_for)
        await self._breaker.resume_if_due(self.learner, self.waiting, self.waits_for)

    def copy_versions(self) -> None:
        """Begin to copy the versions that the mirror has not yet, if the task has one."""
        if (
            self.status == "live"
            and self.mirroring is not None
            and self.learner is not None
            and self.versions is not None
        ):
            self.mirroring.look(self.learner.state, self.versions)

    def describe_jobs(self) -> list[JobStatus]:
        """Say how the jobs of the shard stand."""
        return [] if self.jobs is None or self.learner is None else self.jobs.describe(self.learner.state)

    async def tick_if_due(self) -> None:
        """Append a tick if the log is idle and an entry is due: only times in the log move log time."""
        if self.status == "live" and self.learner is not None and self._ticker is not None:
            is_idle = self.position == self.progress.end and not self.taking.locked()
            await self._ticker.tick_if_due(self.learner, is_idle=is_idle)

    async def save_if_due(self) -> None:
        """Begin a snapshot if one is due."""
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
        """Stop folding and close the databases. The last model goes on answering, with growing staleness."""
        self.status = "stale"
        self.saver.cancel()
        if self.jobs is not None:
            self.jobs.stop()
        if self.mirroring is not None:
            self.mirroring.stop()
        self.let_go()

    def let_go(self) -> None:
        """Close the databases of the shard."""
        if self.pending is not None:
            self.pending.close()
        self.collaborators.pending.close(self.partition)
        self.collaborators.snapshots.table.close(self.partition)
        self.collaborators.versions.table.close(self.partition)

    async def _save_if_due(self) -> None:
        """Begin a snapshot if one is due. The caller holds the lock, and no message is folded in part."""
        if self.learner is not None and self.saver.is_due(self.position):
            await self.saver.begin(self.learner)

    async def handle(self, error: Exception) -> None:
        """Wait if the log says so; have the shard replaced if a local database failed; stop it at any other error: a model or the fold has a defect."""
        if isinstance(error, StoreError | ReplacedError | DefinitionError):
            self._fail(error)
        elif not isinstance(error, HeldBack):
            await self.stop(error)

    def _fail(self, error: HeadraceError) -> None:
        """Stop folding because a local database failed, and have this shard replaced by a new one."""
        if self.status == "live":
            self.status, self.failed, self.error = "opening", True, str(error)
            log.warning("a shard is opened anew", task=self.task.name, partition=self.partition, error=self.error)

    async def compare(self) -> None:
        """Check that the log is still the one that was folded. LogError if it is another log."""
        if self.learner is not None and self.status == "live":
            await self.collaborators.log.check(self.partition, self.learner.state.last, self.position)
            self.progress.compared_at = self.collaborators.budget.clock()

    async def take(self, messages: Sequence[KafkaMessage]) -> None:
        """Fold messages and publish their effects, in a span if there is a tracer."""
        with self.telemetry.tracer.span(
            "fold", task=self.task.name, partition=self.partition, messages=len(messages), position=self.position
        ):
            await self._take(messages)
        if self.learner is not None:
            self._look_at_samples(self.learner)

    def _look_at_samples(self, learner: Learner) -> None:
        """Look at the features of the last samples, of which the state keeps some."""
        probes = learner.state.probes
        samples = [*takewhile(lambda one: one is not self._last_sample, reversed(probes))][::-1]
        if samples:
            self._last_sample = samples[-1]
            self.feature_changes.look(samples, learner.state.clock)

    async def _take(self, messages: Sequence[KafkaMessage]) -> None:
        """Fold messages and publish their effects, and yield to the event loop now and then."""
        learner, clock, pace = self.learner, self.collaborators.budget.clock, self.collaborators.pace
        latency = self.telemetry.update_seconds
        assert learner is not None
        if self.placement is not None:
            self.placement.look(messages)
        await self.teller.publish()  # first the effects that could not be published before, so that they stay few
        now = resumed_at = clock()
        epoch = self.collaborators.wall() - now  # read once: the clock is read at each row anyway
        at = 0
        while at < len(messages):
            message = messages[at]
            if message.offset != self.position:
                await self.pass_over(message.offset)
                if self.status != "live":
                    return
            if learner.state.paused is not None or may_control(message):
                await self._may_go_on(message)
            has_yielded = False
            for effects in folded(learner, messages[at : end_of_run(messages, at)]):
                self.teller.add(effects)
                now = clock()
                if now - resumed_at > pace.yield_after:
                    has_yielded = True
                    await asyncio.sleep(0)
                    if self.status != "live":
                        return
                    resumed_at = clock()
                if not learner.between_messages:
                    continue
                while at < len(messages) and messages[at].offset < self.position:
                    latency.observe(max(0.0, epoch + now - messages[at].timestamp / 1000))
                    at += 1
                await self._after_message(may_save=has_yielded)
                has_yielded = False
                if self.status != "live":
                    return

    async def _after_message(self, *, may_save: bool) -> None:
        """Publish the effects so far, and write what has grown too large; the state is the one at its position."""
        await self.teller.publish()
        if self.pending is not None and self.pending.is_full:
            await self.pending.save()
        if may_save:
            await self._save_if_due()

    async def deliver(self, messages: Sequence[KafkaMessage], link: object = None) -> None:
        """Fold what was delivered; see `OrderedPartition`. While the shard waits, the log is looked at every so often instead."""
        if self.waiting is None:
            await super().deliver(messages, link)

    async def _may_go_on(self, message: KafkaMessage) -> None:
        """Raise HeldBack if the learner must wait before it folds the message at its position; its log says until when."""
        assert self.learner is not None
        waiting = await self.lookahead.find_hindrance(self.learner, message)
        if waiting != self.waiting:
            log.info(
                "a shard waits" if waiting else "a shard goes on", **self.where, position=self.position, waits=waiting
            )
            self.waiting, self._waiting_since = waiting, self.collaborators.budget.clock()
        if waiting is not None:
            raise HeldBack
        await self._read_models(message)

    async def _read_models(self, message: KafkaMessage) -> None:
        """Read the models that jobs have written, if the message may name one that this worker has not: their records are behind them."""
        lacking = [
            one for one in self.lookahead.artefacts(message) if self.versions and self.versions.get_made(*one) is None
        ]
        if lacking:
            await self.collaborators.versions.table.catch_up(self.partition)

    async def pass_over(self, offset: int) -> None:
        """Move the position over offsets that hold no message, such as transaction markers and aborted records, after the log was checked."""
        if self.position < offset:
            await self.collaborators.log.check_hole(self.partition, self.position, offset)
            if self.learner is not None and self.status == "live":
                self.learner.pass_over(offset)

    async def stop(self, error: Exception) -> None:
        """Stop this shard alone, and report the error in its status, in the worker's log and as an alert."""
        if not self.halt(error):
            return
        self.code = error.code if isinstance(error, HeadraceError) else FOLD
        self._alert("shard_stopped", self.error or "")
        try:
            await self.teller.publish()
        except Exception as failure:  # noqa: BLE001 the status and the log have the error
            log.warning("an alert was not published", error=plain_error(failure))

    def _alert(self, code: AlertCode, detail: str) -> None:
        """Add an alert of the shard itself, which is not an effect of the fold."""
        clock = self.learner.state.clock if self.learner else 0
        self.teller.alert(code, detail, self.position, clock)


def may_control(message: KafkaMessage) -> bool:
    """Tell whether a message may have a control record."""
    return b'"control"' in (message.value or b"")


def end_of_run(messages: Sequence[KafkaMessage], at: int) -> int:
    """Find the end of the messages that can be folded in one go: those after the first follow without a gap, and have no control record."""
    end = at + 1
    while (
        end < len(messages) and messages[end].offset == messages[end - 1].offset + 1 and not may_control(messages[end])
    ):
        end += 1
    return end
