"""The command `tick`, which lets log time pass although no record comes."""

from headrace.learning.records import Control
from headrace.learning.state import State
from headrace.learning.turn import Turn


def tick(_state: State, _turn: Turn, _control: Control) -> None:
    """Do nothing: the timestamp of the message has moved log time, and everything due was handled before this call.

    A shard appends a tick to its own event log when something is due and no record has come for some time.
    """
