"""The command `tick`, which lets log time pass although no record comes."""

from headrace.learning.control_record import Arguments
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Tick(Arguments, frozen=True, kw_only=True):
    """The control record `tick`."""


def tick(_state: State, _turn: Turn, _arguments: Tick) -> str:
    """Do nothing: the timestamp of the message has moved log time, and everything due was handled before this call.

    A shard appends a tick to its own event log when something is due and no record has come for some time.
    """
    return ""
