"""The learner: folds the event log of one shard into a state, one record after the other."""

from collections.abc import Iterator

from msgspec import UNSET

from headrace.learning.effects import Effect
from headrace.learning.fold.act import act
from headrace.learning.fold.control import before_install, carry_out, follow, save_by_updates
from headrace.learning.fold.event_time import hold, settle
from headrace.learning.fold.expiry import pass_time
from headrace.learning.fold.measure import measure
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.react import react
from headrace.learning.fold.sources import is_new
from headrace.learning.records import Control, Record, Refused
from headrace.learning.records.mark import KafkaMessage, Mark
from headrace.learning.state import State
from headrace.learning.supplies import Supplies
from headrace.learning.task import Task
from headrace.learning.turn import Turn
from headrace.learning.waiting.pending import Pending


class Learner(LearnerParts):
    r"""Folds the messages of one shard into a state, and yields their effects.

    A learner is deterministic: the same messages, folded from the same state, give the same state and the same effects. The learner keeps order, clock and position. The other modules of this package handle samples, questions, labels and expiry.

    Parameters
    ----------
    task, partition, state, pending, supplies
        As for `LearnerParts`.

    Attributes
    ----------
    between_messages
        True if the state is the one at its position; False while a message is folded only in part.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> learner = Learner(Task(name="ads", kind="binary"), partition=0)
    >>> value = b'{"id": "a", "features": {"price": 3.5}}\n{"id": "a", "label": true}'
    >>> for effects in learner.fold(SimpleNamespace(offset=0, timestamp=0, key=None, value=value)):
    ...     print(effects)
    []
    []
    >>> learner.state.position, learner.state.updates
    (1, 1)
    """

    def __init__(
        self,
        task: Task,
        partition: int,
        state: State | None = None,
        pending: Pending | None = None,
        supplies: Supplies | None = None,
    ):
        super().__init__(task, partition, state, pending, supplies)
        self.between_messages = True
        self._shard = f"{task.name}/{partition}"
        self._collects = self.order is not None or self.batch is not None

    def fold(self, message: KafkaMessage) -> Iterator[list[Effect]]:  # noqa: C901, PLR0912 a call for each row costs more than a branch
        """Fold one message row by row, and yield the effects of each row. The position moves after the last row.

        Until then the state belongs to no position (`between_messages` is False): do not save it, and do not compare its digest.

        Raises
        ------
        ValueError
            The message was folded before, or another one is folded in part.
        """
        state = self.state
        if message.offset < state.position:
            msg = f"offset {message.offset} was folded before: the position is {state.position}"
            raise ValueError(msg)
        if not self.between_messages:
            msg = f"a message is folded in part: the state belongs to no position after {state.position}"
            raise ValueError(msg)
        self.between_messages = False
        if message.timestamp > state.clock:  # noqa: PLR1730 half the cost of max(), at every message
            state.clock = message.timestamp
        if state.begun_at is None:
            state.begun_at = state.clock
        turn = Turn(self._shard, message, state.clock, state, self.supplies)
        if self.due_at <= state.clock:
            yield from pass_time(self, turn)
        records = self.reader.read(message.value)
        last = len(records) - 1
        for row, record in enumerate(records):
            if row:
                turn.move_to(row)
            if self._collects and type(record) is Control and record.command == "install":
                yield from before_install(self, turn)
                react(self, turn)
            self._take(turn, record)
            if state.definition is not self.definition:
                yield from follow(self, turn)
                self._collects = self.order is not None or self.batch is not None
            if self._collects:
                yield from settle(self, turn)
            if turn.noticed:
                react(self, turn)
            if state.arms["champion"].updates - state.versions.since >= self.task.versions.every:
                save_by_updates(self, turn)
            if state.updates >= state.rings.due_updates or state.clock >= state.rings.due_clock:
                measure(self, turn)
            if row == last:
                state.position = message.offset + 1
                state.last = Mark.of(message)
                self.between_messages = True
            yield turn.take()

    def pass_over(self, offset: int) -> None:
        """Move the position over offsets that are known to hold no message, such as transaction markers."""
        self.state.position = max(self.state.position, offset)

    def _take(self, turn: Turn, record: Record | Control | Refused) -> None:
        """Handle a record now, or hold it back until its time has come."""
        if isinstance(record, Refused):
            turn.refuse(record.code, record.reason, record.value)
        elif isinstance(record, Control):
            carry_out(self, turn, record)
        elif record.source is UNSET or is_new(self, turn, record.source):
            if self.order is None:
                act(self, turn, record)
            else:
                hold(self, self.order, turn, record)
