"""The commands `pause` and `resume`: records wait in the log, unlearned, until somebody has looked."""

from headrace.learning.control_record import Arguments
from headrace.learning.promises import Resume
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Pause(Arguments, frozen=True, kw_only=True):
    """The control record `pause`."""


def pause(state: State, turn: Turn, arguments: Pause) -> str:
    """Have the shard wait here until its log holds a `resume` further on. All records in between are learned then."""
    if state.paused is not None:
        return "nothing: it is paused"
    state.paused = arguments.id or f"{turn.message.offset}/{turn.row}"
    return "paused"


def resume(state: State, _turn: Turn, _arguments: Resume) -> str:
    """Note that the log has gone on: the shard has read ahead to this record."""
    if state.paused is None:
        return "nothing: it is not paused"
    state.paused = None
    return "resumed"
