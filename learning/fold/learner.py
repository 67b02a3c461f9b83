"""The learner: folds the event log of one shard into a state, one record after the other."""

from collections.abc import Iterator, Sequence

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
from headrace.learning.fold.stretch import LEAST, Place, fold_stretch
from headrace.learning.records import Control, Reader, Record, Refused
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
    folding
        The offset of the message that is folded, or was last.

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
        self.folding = self.state.position
        self._shard = f"{task.name}/{partition}"
        self._collects = self.order is not None or self.batch is not None
        self._looked_at: tuple[KafkaMessage, Reader, Sequence[Record | Control | Refused], bool] | None = None

    def fold(self, message: KafkaMessage) -> Iterator[list[Effect]]:
        """Fold one message, as `fold_many` folds many."""
        return self.fold_many((message,))

    def fold_many(self, messages: Sequence[KafkaMessage]) -> Iterator[list[Effect]]:  # noqa: C901, PLR0912 a call for each row costs more than a branch
        """Fold messages row by row, or many rows at once, and yield the effects whenever some rows are folded.

        The position moves after the last row of a message. While a message is folded in part, the state belongs to no position
        (`between_messages` is False): do not save it, and do not compare its digest. The fold ends early, after a message, if the shard is paused there.

        Raises
        ------
        ValueError
            A message was folded before, or another one is folded in part.
        """
        state, at = self.state, 0
        while at < len(messages):
            message = messages[at]
            self._begin(message)
            turn = Turn(self._shard, message, state.clock, state, self.supplies)
            if self.due_at <= state.clock:
                yield from pass_time(self, turn)
            (records, _), row = self._read(message), 0
            while row < len(records):
                ended = None
                if len(records) - row + len(messages) - at > LEAST:
                    ended = fold_stretch(self, turn, messages, Place(at, row, state.clock), self._read)
                if ended is not None:
                    if ended.message > at:
                        at, message = ended.message, messages[ended.message]
                        self._stand_after(messages[at - 1])
                        self.between_messages, self.folding = False, message.offset
                        records, _ = self._read(message)
                    row = ended.row
                else:
                    if row:
                        turn.move_to(row)
                    record = records[row]
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
                row += 1
                if row == len(records):
                    self._stand_after(message)
                yield turn.take()
            at += 1
            if state.paused is not None:
                return

    def _begin(self, message: KafkaMessage) -> None:
        """Begin with the first row of a message."""
        state = self.state
        if message.offset < state.position:
            msg = f"offset {message.offset} was folded before: the position is {state.position}"
            raise ValueError(msg)
        if not self.between_messages:
            msg = f"a message is folded in part: the state belongs to no position after {state.position}"
            raise ValueError(msg)
        self.between_messages, self.folding = False, message.offset
        if message.timestamp > state.clock:  # noqa: PLR1730 half the cost of max(), at every message
            state.clock = message.timestamp
        if state.begun_at is None:
            state.begun_at = state.clock

    def _read(self, message: KafkaMessage) -> tuple[Sequence[Record | Control | Refused], bool]:
        """Decode the records of a message, which a stretch may have looked at already; and tell whether all are samples and nothing more."""
        if self._looked_at is None or self._looked_at[0] is not message or self._looked_at[1] is not self.reader:
            samples = self.reader.read_samples(message.value)
            records = self.reader.read(message.value) if samples is None else samples
            self._looked_at = message, self.reader, records, samples is not None
        return self._looked_at[2:]

    def _stand_after(self, message: KafkaMessage) -> None:
        """The last row of a message was folded."""
        self.state.position = message.offset + 1
        self.state.last = Mark.of(message)
        self.between_messages = True

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
