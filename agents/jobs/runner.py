"""The jobs of one shard, on the worker that owns it: each runs in a process of its own, is begun again if it dies, and is given up at last."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol

import msgspec
import structlog

from headrace.agents.jobs.order import Order, Progress
from headrace.agents.jobs.status import JobStatus
from headrace.agents.lookahead import Waiting
from headrace.learning.acts.job import Job, decode_job
from headrace.learning.fold.learner import Learner
from headrace.learning.state import State
from headrace.tables.kafka.log import EventLog

log = structlog.get_logger()

ATTEMPTS_MAX = 3
"""How often a job is begun before it is given up."""

PAUSE_SECONDS = 1.0
"""How long to wait before a job that died is begun again; twice as long the next time."""

AGAIN_SECONDS = 10.0
"""How long to wait before the end of a job is written again that did not reach the log; a second one has no effect."""


class JobProcess(Protocol):
    """A process that makes a model."""

    progress: Progress
    error: str

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        ...

    @property
    def has_delivered(self) -> bool:
        """Whether it has ended well: the outcome is in the log."""
        ...

    def kill(self) -> None:
        """End it."""
        ...


Launch = Callable[[int, Order], JobProcess]
"""Starts the process of a job for a shard."""


class Ended(NamedTuple):
    """When the end of a job was written, and the last offset that must be folded before it is written again."""

    offset: int
    at: float


class Attempts:
    """The attempts at one job."""

    def __init__(self) -> None:
        self.process: JobProcess | None = None
        self.count = 0
        self.next_at = -math.inf
        self.error: str | None = None


class ShardJobs:
    """Runs the jobs that the state of a shard asks for, one at a time.

    Parameters
    ----------
    log, partition
        The event log of the shard.
    launch
        Starts processes.
    clock
        Seconds that never go back.
    """

    def __init__(self, log: EventLog, partition: int, launch: Launch, clock: Callable[[], float]):
        self.log, self.partition, self.launch, self.clock = log, partition, launch, clock
        self._attempts: dict[str, Attempts] = {}
        self._ended: dict[str, Ended] = {}

    async def tend(self, learner: Learner, waiting: Waiting | None, waits_for: float) -> None:
        """Start and end what must be. Raises what the broker fails with."""
        state, jobs = learner.state, learner.state.jobs
        for name in [name for name in self._attempts if name not in jobs]:
            self._stop(name)
        if waiting is not None and waiting.why == "outcome" and waiting.id in jobs:
            limit = decode_job(jobs[waiting.id]).limit_s
            if waits_for > limit:
                await self._give_up(state, waiting.id, f"no outcome within {limit:g} s")
        for name in jobs:
            attempts = self._attempts.setdefault(name, Attempts())
            process = attempts.process
            if process is not None and process.has_ended and not process.has_delivered:
                self._note_death(name, attempts, process)
            if attempts.process is None and attempts.count >= ATTEMPTS_MAX:
                await self._give_up(state, name, f"it failed {attempts.count} times, at last so: {attempts.error}")
        if waiting is not None and waiting.id in jobs:
            self._make_way(waiting.id)
        if jobs and not any(one.process is not None for one in self._attempts.values()):
            self._begin_next(learner, waiting)

    def describe(self, state: State) -> list[JobStatus]:
        """Say how the jobs stand."""
        return [self._describe(name, decode_job(state.jobs[name])) for name in state.jobs]

    def stop(self) -> None:
        """End all processes. The jobs stay in the state: the next owner begins them."""
        for name in list(self._attempts):
            self._stop(name)

    def _describe(self, name: str, job: Job) -> JobStatus:
        attempts = self._attempts.get(name) or Attempts()
        process, progress = attempts.process, attempts.process.progress if attempts.process else Progress()
        state: Literal["waiting", "running", "delivered"] = "waiting"
        if process is not None:
            state = "delivered" if process.has_delivered else "running"
        return JobStatus(
            id=name,
            kind=job.recipe.why,
            state=state,
            attempts=attempts.count,
            percent=progress.percent,
            rows_per_s=round(progress.rows_per_second, 1),
            left_s=progress.seconds_left,
            error=attempts.error,
        )

    def _begin_next(self, learner: Learner, waiting: Waiting | None) -> None:
        """Begin the job for which the shard waits, or else the oldest; none before its time."""
        jobs, now = learner.state.jobs, self.clock()
        wanted = waiting.id if waiting is not None and waiting.id in jobs else next(iter(jobs))
        attempts = self._attempts[wanted]
        if now < attempts.next_at or attempts.count >= ATTEMPTS_MAX:
            return
        job = decode_job(jobs[wanted])
        order = Order(
            id=wanted,
            recipe=job.recipe,
            model=learner.champion.made_of if job.model is None else job.model,
            definition=learner.definition.decode(),
            promised=learner.state.position if waiting is not None and waiting.id == wanted else None,
        )
        attempts.count += 1
        attempts.process = self.launch(self.partition, order)
        log.info("a job begins", job=wanted, kind=job.recipe.why, partition=self.partition, attempt=attempts.count)

    def _make_way(self, wanted: str) -> None:
        """End the jobs that are at work while the shard waits for another one; they begin again after it."""
        for name, attempts in self._attempts.items():
            if name != wanted and attempts.process is not None and not attempts.process.has_ended:
                attempts.process.kill()
                attempts.process, attempts.count = None, attempts.count - 1

    def _note_death(self, name: str, attempts: Attempts, process: JobProcess) -> None:
        attempts.process, attempts.error = None, process.error
        attempts.next_at = self.clock() + PAUSE_SECONDS * 2 ** (attempts.count - 1)
        where = {"job": name, "partition": self.partition, "attempt": attempts.count}
        log.warning("a job has failed", error=process.error, **where)

    async def _give_up(self, state: State, name: str, why: str) -> None:
        """Say in the log that a job ends without a model, whether or not the shard waits at its `install`."""
        ended = self._ended.get(name)
        if ended is not None and (state.position <= ended.offset or self.clock() - ended.at < AGAIN_SECONDS):
            return
        record = {"control": "cancel", "job": name, "why": why[:250], "by": "headrace"}
        self._ended[name] = Ended(state.position - 1, self.clock())  # also where the broker fails: not at once again
        offset = await self.log.append(self.partition, msgspec.json.encode(record), state.clock)
        self._ended[name] = Ended(offset, self.clock())
        if (attempts := self._attempts.get(name)) and attempts.process is not None and not attempts.process.has_ended:
            attempts.process.kill()

    def _stop(self, name: str) -> None:
        attempts = self._attempts.pop(name)
        self._ended.pop(name, None)
        if attempts.process is not None and not attempts.process.has_ended:
            attempts.process.kill()
