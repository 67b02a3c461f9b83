"""The reaction `rollback`: go back to the last good version. It is what the guards ask for."""

from typing import ClassVar

from headrace.learning.acts.champion import go_back
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Rollback:
    """Saves the champion as a version, and puts a copy of its last good version in its place, which learns on from there."""

    name: ClassVar[str] = "rollback"
    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say that there is no good version, or that it is what answers already."""
        good = state.versions.last_good()
        if good is None:
            return "there is no version to go back to yet"
        return f"the champion is {good.id} already" if good.digest == state.arms["champion"].digest else None

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Go back."""
        good = state.versions.last_good()
        assert good is not None
        return go_back(state, turn, good)
