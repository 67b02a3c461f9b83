"""The reaction `pause`: learn nothing more until somebody has looked. It is what the guard `label_rate` asks for."""

from typing import ClassVar

from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn

BREAKER = "breaker/"
"""The prefix of what `State.paused` holds where a reaction has paused the shard, and no control record."""


class Pause:
    """Has the shard wait after the current message until its log holds a `resume` further on; its owner writes one after a while."""

    name: ClassVar[str] = "pause"
    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say that the shard is paused already."""
        return None if state.paused is None else "the shard is paused already"

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Pause the shard."""
        state.paused = f"{BREAKER}{turn.message.offset}/{turn.row}"
        return "paused: records wait in the log"
