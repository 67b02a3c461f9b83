"""A turn: a message being folded and the row at hand, as whoever acts upon the row sees them."""

from typing import NamedTuple, Protocol

from headrace.learning.codes import AlertCode, RefusalCode
from headrace.learning.effects import Alert, Effect, Quarantined
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.tags import tagged


@tagged("origin/1")
class Origin(NamedTuple):
    """Where a record stands in the log, and its bytes."""

    offset: int
    row: int
    key: bytes | None
    line: bytes


class Refusals(Protocol):
    """The part of a state that counts refused records."""

    quarantined: int


class Turn:
    """The row at hand, and what its effects are: every handler of a record gets the turn as an argument.

    Parameters
    ----------
    shard
        `<task>/<partition>`: the beginning of the ids of effects.
    message
        The message that is folded.
    clock
        Log time in milliseconds.
    refusals
        Counts the records that are refused.

    Attributes
    ----------
    row
        The number of the row at hand; it is 0 as long as only time passes.
    held
        The origin of a record of an earlier message that was held back and is acted upon now; None for the row itself.

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

    __slots__ = ("_effects", "_ids", "_refusals", "clock", "held", "message", "row", "shard")

    def __init__(self, shard: str, message: KafkaMessage, clock: int, refusals: Refusals):
        self.shard = shard
        self.message = message
        self.row = 0
        self.clock = clock
        self.held: Origin | None = None
        self._refusals = refusals
        self._effects: list[Effect] = []
        self._ids = 0

    def move_to(self, row: int) -> None:
        """Go on with another row of the message: ids count anew."""
        self.row, self._ids = row, 0

    @property
    def origin(self) -> Origin:
        """Where the record that is acted upon is from."""
        message, row = self.message, self.row
        return self.held or Origin(message.offset, row, message.key, line_of(message, row))

    def next_id(self) -> str:
        """Give the id of the next effect, the same one whenever the log is folded again."""
        number, self._ids = self._ids, self._ids + 1
        return f"{self.shard}/{self.message.offset}/{self.row}/{number}"

    def emit(self, effect: Effect) -> None:
        """Have something told outside."""
        self._effects.append(effect)

    def alert(self, code: AlertCode, detail: str) -> None:
        """Have something told that an operator should know; `code` is stable, `detail` is for people."""
        self._effects.append(Alert(id=self.next_id(), code=code, detail=detail, time=self.clock / 1000))

    def refuse(self, code: RefusalCode, reason: str, value: bytes | None = None) -> None:
        """Send the record to quarantine, with a stable code and a reason for people.

        Parameters
        ----------
        code, reason
            Why.
        value
            The record's bytes; left out, those of the record's origin.
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
        """Give the effects that have arisen since the last call, in their order."""
        effects, self._effects = self._effects, []
        return effects


def line_of(message: KafkaMessage, row: int) -> bytes:
    """Cut one row out of a message."""
    return (message.value or b"").split(b"\n")[row]
