"""Makes a model by a recipe: folds the log beside the shard, promises the model at a position, and delivers it there."""

import hashlib
import time
from collections.abc import Callable, Collection
from contextlib import aclosing

import msgspec

from headrace.agents.jobs.order import Order, Progress
from headrace.learning.encoding import encode
from headrace.learning.errors import LogError
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.models.named import require_named
from headrace.learning.promises import Outcome, Promises
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.records.reader import count_rows
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import Task, fingerprint, under
from headrace.tables.changelog import Changelog
from headrace.tables.kafka.log import EventLog
from headrace.tables.versions import entries, made_for, supply

NEAR = 1_000
"""Messages before the end of the log at which a job says where its model is to be installed: the shard waits for so few."""

NEAR_SECONDS = 0.5
"""The same, by the time that a job needs for them."""

FORGET_MAX = 700_000
"""Bytes of the ids that an outcome may name: a broker takes messages of a million."""

TELL_SECONDS = 0.2
"""How often the progress is told."""


class Making:
    """Makes the model of one job.

    The job folds the log until it has nearly reached its end. Then it appends the `install`, folds up to exactly that record, writes the
    model to `<task>.versions`, and appends the `outcome`. A job that is begun again meets the `install` of the one before in the log, and
    goes on to that one.

    Parameters
    ----------
    task
        The task, by the settings.
    partition
        The shard.
    order
        What is made.
    log, models
        The event log, and the changelog of the versions.
    modules
        The modules of the user's own that the settings name: no function of another one is called, whatever the log says.
    tell
        Is called with the progress now and then.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        task: Task,
        partition: int,
        order: Order,
        log: EventLog,
        models: Changelog,
        *,
        modules: Collection[str],
        tell: Callable[[Progress], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        require_named(order.model, modules)
        definition = order.definition.encode()
        self.task = under(task, definition)
        self.partition, self.order, self.log, self.models = partition, order, log, models
        self.fingerprint = fingerprint(definition)
        self._tell, self._clock = tell, clock
        self._promises = Promises(task)
        self._artefacts = InMemory()
        self._supplies = Supplies(self._artefacts, self._promises, modules)
        self._started = self._told_at = clock()
        self._done = self._total = self._rows = 0

    async def run(self) -> Outcome:
        """Make the model, and return the outcome once the log has it.

        Raises
        ------
        HeadraceError
            The log cannot be folded, or the model cannot be saved.
        KafkaError, OSError
            The broker is away.
        """
        recipe = self.order.recipe
        made = RecipeFold(self.task, self.partition, recipe, self._supplies, self.order.model)
        for number in range(recipe.passes - 1):
            assert recipe.repeat_to is not None  # the fold has set it
            self._expect(recipe.repeat_to - recipe.start, passes=recipe.passes - number)
            await self._fold(made, recipe.start, recipe.repeat_to)
            made.begin_again()
        position = await self._fold_to_promise(made)
        made.finish()
        return await self._deliver(made, position)

    async def _fold_to_promise(self, made: RecipeFold) -> int:
        """Fold up to and with the `install`; append it when the end of the log is near and nobody has yet."""
        at, promised = made.recipe.start, self.order.promised
        while True:
            end = await self._end() if promised is None else promised + 1
            self._expect(end - at)
            if promised is None and self._is_near(end - at):
                promised = await self._promise(made)
                continue
            met = await self._fold(made, at, end)
            if met is not None:
                return met
            if promised is not None:
                raise LogError(f"the log has no install of {self.order.id} at {promised}.", "Ask for the job again.")
            at = max(at, end)

    async def _fold(self, made: RecipeFold, start: int, end: int) -> int | None:
        """Fold the messages in [start, end); stop after the `install` of this job and return its offset, if it is among them.

        That one too, since its timestamp moves log time: what is due by it was learned before the shard came to the `install`.
        """
        async with aclosing(self.log.read(self.partition, start, end)) as messages:
            async for message in messages:
                await self._supply(message)
                made.fold_one(message)
                self._done += 1
                self._rows += count_rows(message.value or b"")
                if self._is_promise(message):
                    return message.offset
                if self._clock() - self._told_at >= TELL_SECONDS:
                    self._report()
        return None

    async def _supply(self, message: KafkaMessage) -> None:
        """Read the models from elsewhere that a message installs: the recipe may go on from them."""
        await supply(self._artefacts, self.models, self.partition, self._promises.artefacts(message))

    def _is_promise(self, message: KafkaMessage) -> bool:
        return self._promises.made_in(message, (self.order.id,)) is not None

    async def _promise(self, made: RecipeFold) -> int:
        record = {
            "control": "install",
            "id": self.order.id,
            "by": "headrace",
            "recipe": made.recipe,
            "model": self.order.model,
        }
        return await self.log.append(self.partition, msgspec.json.encode(record), made.state.clock)

    async def _deliver(self, made: RecipeFold, position: int) -> Outcome:
        """Write the model, and then say in the log that it is there."""
        unanswered = made.unanswered
        if len(msgspec.json.encode(unanswered)) > FORGET_MAX:
            what = f"{len(unanswered)} questions and labels that are left out wait for each other: more than an outcome can name."
            raise LogError(what, "Leave out less at a time, or wait until the labels have come.")
        data = encode(made.champion.model)
        digest = hashlib.sha256(data).hexdigest()
        for key, value in entries(digest, data, position=position, origin=made_for(self.order.id)):
            await self.models.append(self.partition, key, value)
        outcome = Outcome(
            by="headrace",
            of=self.order.id,
            position=position,
            artefact=digest,
            updates=made.champion.updates,
            definition=self.fingerprint,
            forget=tuple(unanswered),
        )
        record = {"control": "outcome", **msgspec.to_builtins(outcome)}
        await self.log.append(self.partition, msgspec.json.encode(record), made.state.clock)
        self._total = self._done
        self._report()
        return outcome

    async def _end(self) -> int:
        return (await self.log.ends([self.partition]))[self.partition]

    def _is_near(self, messages: int) -> bool:
        return messages <= max(NEAR, self._speed() * NEAR_SECONDS)

    def _expect(self, messages: int, passes: int = 1) -> None:
        self._total = self._done + messages * passes

    def _speed(self) -> float:
        return self._done / self._seconds()

    def _seconds(self) -> float:
        return max(self._clock() - self._started, 1e-3)

    def _report(self) -> None:
        self._told_at = self._clock()
        total, rows_per_second = max(self._total, self._done), self._rows / self._seconds()
        self._tell(Progress(self._done, total, self._speed(), rows_per_second))
