"""The command `tick`: log time passes although no record comes."""

from headrace.learning.records import Control
from headrace.learning.state import State
from headrace.learning.turn import Turn


def tick(_state: State, _turn: Turn, _control: Control) -> None:
    """Do nothing more: the timestamp of the record's message has moved the clock, and what was due is done.

    A shard appends a tick to its own event log when something is due and no record has come for a while.
    """
