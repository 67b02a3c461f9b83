"""A turn: the message that is being folded, its current row, and the effects of that row."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from headrace.learning.codes import AlertCode, RefusalCode
from headrace.learning.effects import Alert, Effect, Quarantined
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.signals import Notice
from headrace.learning.supplies import Supplies
from headrace.learning.tags import tagged


@tagged("origin/1")
class Origin(NamedTuple):
    """The origin of a record: its offset, row and message key in the event log, and its bytes."""

    offset: int
    row: int
    key: bytes | None
    line: bytes


class Noticed(NamedTuple):
    """What was noticed, and about which model.

    Parameters
    ----------
    notice
        What was noticed.
    since
        The step at which the model that it is about got its place; 0 where it is about the records.
    """

    notice: Notice
    since: int


class Refusals(Protocol):
    """The part of a `State` that counts refused records."""

    quarantined: int


class Turn:
    """The current row of a message and its effects; every handler of a record gets the turn as an argument.

    Parameters
    ----------
    shard
        `<task>/<partition>`, with which the ids of effects begin.
    message
        The message that is being folded.
    clock
        Log time in milliseconds.
    refusals
        The object that counts refused records.
    supplies
        The models and outcomes that a control record may name; a turn of no control record can do without.

    Attributes
    ----------
    row
        The number of the current row; 0 while entries expire, before the first row.
    noticed
        What detectors and guards have noticed at the current record, and nothing was done about yet.
    held
        The origin of a held or waiting record of an earlier message, while that record is handled; None while the row itself is handled.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> message = SimpleNamespace(offset=7, timestamp=1000, key=None, value=b'{"id": "a"}')
    >>> turn = Turn("ads/0", message, clock=1000, refusals=SimpleNamespace(quarantined=0))
    >>> turn.alert("not_finite", "arm 'champion' no longer predicts finite numbers.")
    >>> turn.refuse("incomplete", "the record has neither 'features' nor 'label'.")
    >>> [(effect.id, effect.code) for effect in turn.take()]
    [('ads/0/7/0/0', 'not_finite'), ('ads/0/7/0/1', 'incomplete')]
    >>> turn.take()
    []
    """

    __slots__ = ("_effects", "_ids", "_refusals", "_supplies", "clock", "held", "message", "noticed", "row", "shard")

    def __init__(
        self, shard: str, message: KafkaMessage, clock: int, refusals: Refusals, supplies: Supplies | None = None
    ):
        self.shard = shard
        self._supplies = supplies
        self.message = message
        self.row = 0
        self.clock = clock
        self.held: Origin | None = None
        self.noticed: list[Noticed] = []
        self._refusals = refusals
        self._effects: list[Effect] = []
        self._ids = 0

    @property
    def supplies(self) -> Supplies:
        """The models and outcomes that a control record may name."""
        assert self._supplies is not None
        return self._supplies

    def move_to(self, row: int) -> None:
        """Move to another row of the message; the ids of effects count from 0 again."""
        self.row, self._ids = row, 0

    @property
    def origin(self) -> Origin:
        """The origin of the record that is being handled."""
        message, row = self.message, self.row
        return self.held or Origin(message.offset, row, message.key, line_of(message, row))

    def move_on(self, message: KafkaMessage, row: int, clock: int) -> None:
        """Move to a row of this message or of a later one."""
        self.message, self.clock = message, clock
        self.move_to(row)

    def next_id(self) -> str:
        """Return the id of the next effect. Folding the log again gives the same ids."""
        number, self._ids = self._ids, self._ids + 1
        return f"{self.shard}/{self.message.offset}/{self.row}/{number}"

    def emit(self, effect: Effect) -> None:
        """Add an effect to be published."""
        self._effects.append(effect)

    def notice(self, notices: Iterable[Notice], since: int = 0) -> None:
        """Note what was noticed, about the model that got its place at a step, or about the records."""
        self.noticed += [Noticed(notice, since) for notice in notices]

    def alert(self, code: AlertCode, detail: str) -> None:
        """Emit an alert for an operator; `code` is stable, `detail` is for people."""
        self._effects.append(Alert(id=self.next_id(), code=code, detail=detail, time=self.clock / 1000))

    def refuse(self, code: RefusalCode, reason: str, value: bytes | None = None) -> None:
        """Send the current record to quarantine, and count it.

        Parameters
        ----------
        code
            The reason for programs: a row of `REFUSALS`.
        reason
            The reason for people.
        value
            The record's bytes, if they are not those of the record's origin.
        """
        self._refusals.quarantined += 1
        origin = self.origin
        self._effects.append(
            Quarantined(
                id=self.next_id(),
                code=code,
                reason=reason,
                offset=origin.offset,
                row=origin.row,
                key=origin.key,
                value=origin.line if value is None else value,
            )
        )

    def take(self) -> list[Effect]:
        """Return the effects emitted since the last call, in their order."""
        effects, self._effects = self._effects, []
        return effects


def line_of(message: KafkaMessage, row: int) -> bytes:
    """Return the bytes of one row of a message."""
    return (message.value or b"").split(b"\n")[row]
