"""Replays the event log of one shard from its beginning: rebuilds the state at any position, beside the workers and without their databases."""

import time
from collections.abc import Callable, Collection
from contextlib import aclosing

from headrace.agents.jobs.order import Progress
from headrace.agents.lookahead import Lookahead, Waiting
from headrace.learning.effects import Effect, Saved
from headrace.learning.errors import HeadraceError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.records.reader import count_rows
from headrace.learning.state import State
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import Task, under
from headrace.tables.changelog import Changelog
from headrace.tables.kafka.log import EventLog
from headrace.tables.versions import supply

TELL_SECONDS = 0.2
"""How often the progress is told."""


class ReplayError(HeadraceError):
    """A past state cannot be rebuilt, or a record is not in the event log."""

    code = "replay"


class Replay:
    """Folds the event log of one shard from its beginning on, as far as it is asked to.

    The log is folded by its own first definition, whatever the settings say. The models of versions are those that the fold saves again;
    the models of jobs are read from the changelog of `<task>.versions`. Nothing is written.

    Parameters
    ----------
    task
        The task, by the settings.
    partition
        The shard.
    log, models
        The event log, and the changelog of the versions.
    modules
        Modules of the user's own, beside that of the task's model, that may make a model.
    tell
        Is called with the progress now and then.
    observe
        Is called with the effects of the fold.
    clock
        Seconds that never go back.

    Attributes
    ----------
    learner
        The learner, once `begin` was called.
    messages, rows, seconds
        Folded so far, and the time that it took.
    """

    learner: Learner

    def __init__(
        self,
        task: Task,
        partition: int,
        log: EventLog,
        models: Changelog,
        *,
        modules: Collection[str] = (),
        tell: Callable[[Progress], None] = lambda _: None,
        observe: Callable[[list[Effect]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.task, self.partition, self.log, self.models = task, partition, log, models
        self.modules = (*modules, *task.modules)
        self.messages = self.rows = 0
        self.seconds = 0.0
        self.artefacts = InMemory()
        self._tell, self._observe, self._clock = tell, observe, clock
        self._told_at = clock()
        self._lookahead = Lookahead(log, partition, task)

    async def begin(self) -> "Replay":
        """Find by what the log is folded from its beginning on, and stand before its first message.

        Raises
        ------
        LogError
            Retention has removed the beginning of the log.
        """
        definition = await self._lookahead.find_first_definition(self.modules)
        task = self.task if definition is None else under(self.task, definition)
        supplies = Supplies(self.artefacts, self._lookahead.promises, self.modules)
        self.learner = Learner(self.task, self.partition, State(task), supplies=supplies)
        return self

    async def end(self) -> int:
        """Return the end of the log."""
        return (await self.log.ends([self.partition]))[self.partition]

    async def to(self, position: int, until: Callable[[], bool] = lambda: False) -> Waiting | None:
        """Fold on to a position: the state is that of a shard that has folded all before it.

        Parameters
        ----------
        position
            The offset of the first message that is not folded.
        until
            Is asked after each message whether to stop before.

        Returns
        -------
        For what the shard waits, if it cannot have come so far yet: the state is the one in which it waits.

        Raises
        ------
        ReplayError
            The position lies behind the fold, or beyond the end of the log.
        HeadraceError
            The fold stops there, as the shard does.
        """
        learner = self.learner
        if position < learner.state.position:
            raise ReplayError(
                f"position {position} was folded already: the fold is at {learner.state.position}.", "Begin again."
            )
        if position > learner.state.position and position > (end := await self.end()):
            raise ReplayError(
                f"{self.task.events}/{self.partition} ends at {end}, before position {position}.",
                f"Name a position up to {end}.",
            )
        started, start = self._clock(), learner.state.position
        before = self.seconds
        async with aclosing(self.log.read(self.partition, start, position)) as messages:
            async for message in messages:
                waiting = await self._lookahead.find_hindrance(learner, message)
                if waiting is not None:
                    return waiting
                await self._fold(message)
                now = self._clock()
                self.seconds = before + now - started
                if now - self._told_at >= TELL_SECONDS:
                    self._told_at = now
                    self._tell(Progress(self.messages, self.messages + position - message.offset - 1, self.speed))
                if until():
                    return None
        learner.pass_over(position)
        return None

    @property
    def speed(self) -> float:
        """Messages a second, so far."""
        return self.messages / max(self.seconds, 1e-6)

    @property
    def rows_per_s(self) -> float:
        """Rows a second, so far."""
        return self.rows / max(self.seconds, 1e-6)

    async def _fold(self, message: KafkaMessage) -> None:
        await self._supply(message)
        saved = False
        for effects in self.learner.fold(message):
            if effects:
                self._observe(effects)
                saved = saved or any(isinstance(effect, Saved) for effect in effects)
        if saved:
            self._drop()
        self.messages += 1
        self.rows += count_rows(message.value or b"")

    async def _supply(self, message: KafkaMessage) -> None:
        """Read the models that a message may install and that the fold did not make itself."""
        await supply(self.artefacts, self.models, self.partition, self._lookahead.artefacts(message))

    def _drop(self) -> None:
        """Forget the models that no version names any more: a fold of a long log would hold them all."""
        for digest in self.artefacts.saved.keys() - self.learner.state.versions.digests:
            del self.artefacts.saved[digest]
