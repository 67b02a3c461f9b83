"""Looking ahead: a shard that waits at a control record reads on in its log for the record that lets it go on."""

import contextlib
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Literal, NamedTuple

import msgspec

from headrace.learning.acts.refusal import Refusal
from headrace.learning.commands.define import Define, read_first
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Place, Promises
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task
from headrace.tables.kafka.log import EventLog


class Waiting(NamedTuple):
    """For what a shard waits: the `outcome` of a promise, by its id, or a `resume`, by the id of the pause."""

    why: Literal["outcome", "resume"]
    id: str


class Lookahead:
    """Reads on in the log of one shard, no further than to the record that lets the shard go on.

    What is noted stands in one stretch of the log, which begins at or before the shard and has no hole. A promise in that stretch therefore
    meets the first outcome behind it in log order: if none is noted, there is none up to the end of the stretch, and it is read on from
    there. A promise stands at the position of the shard or further on, and only an outcome behind it counts, so an outcome before the
    position can be forgotten. A shard that is elsewhere, further back or beyond the stretch, has all forgotten and begins a new one. So no
    more is kept than the log says between the shard and the record for which it waits, however long the log is.

    Parameters
    ----------
    log, partition
        What is read.
    task
        Whose records they are.

    Attributes
    ----------
    promises
        What the log further on says of the promises and pauses that the learner may meet.
    """

    def __init__(self, log: EventLog, partition: int, task: Task):
        self.log, self.partition, self.task = log, partition, task
        self.promises = Promises(task)
        self._read_from = self._read_to = 0

    async def find_hindrance(self, learner: Learner, message: KafkaMessage) -> Waiting | None:
        """Say what a learner must wait for before it can fold the message at its position; None if it can.

        Raises
        ------
        KafkaError, OSError
            The log cannot be read.
        """
        state = learner.state
        made = self.promises.made_in(message, state.jobs)
        self._begin_at(message.offset)
        hindrance = self._hindrance(state.paused, message, made)
        if hindrance is None:
            return None
        self.promises.forget_before(message.offset)
        self._read_from = message.offset
        async with aclosing(self._read_on()) as noted:
            async for _ in noted:
                hindrance = self._hindrance(state.paused, message, made)
                if hindrance is None:
                    return None
        return hindrance

    def artefacts(self, message: KafkaMessage) -> set[tuple[str, str]]:
        """List the models that a message may have installed: the id of its `install`, and the digest."""
        return self.promises.artefacts(message)

    def _hindrance(self, paused: str | None, message: KafkaMessage, made: tuple[Place, str] | None) -> Waiting | None:
        if paused is not None and not self.promises.is_resumed(message.offset):
            return Waiting("resume", paused)
        if made is None:
            return None
        place, name = made
        return Waiting("outcome", name) if self.promises.outcome(name, place) is None else None

    async def find_first_definition(self, modules: Collection[str]) -> bytes | None:
        """Find by what the log is folded from its beginning on, as its first owner has written; None if nobody has yet.

        Parameters
        ----------
        modules
            The modules of the user's own that the settings name.

        Raises
        ------
        ModelError
            It has a model of another module.
        LogError
            Retention has removed the beginning.
        KafkaError, OSError
            The log cannot be read.
        """
        end = (await self.log.ends([self.partition]))[self.partition]
        async with aclosing(self.log.read(self.partition, 0, end)) as messages:
            async for message in messages:
                for _, control in self.promises.controls(message):
                    if control.command == "define" and control.arguments.get("first") is True:
                        # The fold refuses what is none when it comes to it.
                        with contextlib.suppress(msgspec.ValidationError, Refusal):
                            return read_first(self.task, msgspec.convert(control.arguments, Define), modules)
        return None

    def _begin_at(self, position: int) -> None:
        """See to it that all is noted from a position on, and not only what was read for a fold that was elsewhere."""
        if not self._read_from <= position <= self._read_to:
            self.promises.forget()
            self._read_from = self._read_to = position

    async def _read_on(self) -> AsyncGenerator[KafkaMessage]:
        """Read the log from where it was read last to its end, note what it says, and yield each message once it is noted."""
        start = self._read_to
        end = (await self.log.ends([self.partition]))[self.partition]
        if start >= end:
            return
        async with aclosing(self.log.read(self.partition, start, end)) as messages:
            async for message in messages:
                self.promises.note(message)
                self._read_to = message.offset + 1
                yield message
        self._read_to = end
