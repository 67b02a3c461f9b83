"""Learns a history that is in no log: rows of a file, by the same checks, policies and metrics as the records of a log."""

import msgspec
from msgspec import UNSET, UnsetType

from headrace.learning.effects import Quarantined
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.recipe import Recipe
from headrace.learning.records.message import Message
from headrace.learning.records.reader import Time
from headrace.learning.task import Task


class Timed(msgspec.Struct):
    """The part of a record that tells when it was."""

    time: Time | UnsetType = UNSET


read_time = msgspec.json.Decoder(Timed).decode


class HistoryFold(RecipeFold):
    """Folds rows as if each were a message of a log of its own; control records have no effect.

    Log time is the latest `time` of the rows so far, or stands still where they have none.

    Parameters
    ----------
    task
        The task whose model is trained.

    Examples
    --------
    >>> made = HistoryFold(Task(name="ads", kind="binary"))
    >>> for price in range(4):
    ...     refused = made.learn(b'{"features": {"price": %d}, "label": true}' % price)
    >>> [refused.code for refused in made.learn(b'{"features": {"price": 1}, "label": 7}')]
    ['label']
    >>> made.end()
    []
    >>> made.champion.updates
    4
    """

    def __init__(self, task: Task):
        super().__init__(msgspec.structs.replace(task, predictions=False), 0, Recipe(why="retrain"))

    def learn(self, row: bytes) -> list[Quarantined]:
        """Fold one row, a record as it may stand in a log; return the rows that were refused thereby, this one or one that has waited."""
        return self._fold(row, max(self.state.clock, _milliseconds(row)))

    def end(self) -> list[Quarantined]:
        """End a pass: learn what waits for earlier records, and the labels that were collected; return what was refused thereby."""
        refused = []
        if self.order is not None:
            refused = self._fold(b'{"control": "tick"}', self.state.clock + self.task.lateness_ms + 1)
        self.finish()
        return refused

    def _fold(self, row: bytes, clock: int) -> list[Quarantined]:
        message = Message(self.state.position, row, clock)
        return [effect for effects in self.fold(message) for effect in effects if isinstance(effect, Quarantined)]


def _milliseconds(row: bytes) -> int:
    if b'"time"' not in row:
        return 0
    try:
        time = read_time(row).time
        return 0 if time is UNSET else round(time * 1000)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0  # the fold refuses the row
