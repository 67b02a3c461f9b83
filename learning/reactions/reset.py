"""The reaction `reset`: begin again with a new model."""

from typing import ClassVar

from headrace.learning.acts.champion import Loaded, make, replace, save_version, task_of
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Reset:
    """Saves the champion as a version, and puts a new model of the same making in its place, which has learned nothing."""

    name: ClassVar[str] = "reset"
    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Find none: a new model of the champion's making can be made."""

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Put a new model in the place of the champion's."""
        task = task_of(state.task, turn, state.arms["champion"].made_of)
        fresh = make(task)
        saved = save_version(state, turn, "reaction")
        replace(state, Loaded(task, fresh), saved.id, 0)
        return f"reset; before it was {saved.id}"
