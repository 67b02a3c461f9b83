"""The reaction `hold`: most alarms need no action, and it says why."""

from typing import ClassVar

from headrace.learning.parameters import Count, NotNegative
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Hold:
    """Does nothing, and keeps the reactions after it from acting, where an alarm needs no action.

    Parameters
    ----------
    rise
        By what share the error must have risen: below it, the model is left to adapt by itself. An oscillation is no rise, and is not held.
    young
        Labels that the arm must have learned: before that, its error is still finding its level.
    """

    name: ClassVar[str] = "hold"
    changes: ClassVar[bool] = False
    ends: ClassVar[bool] = True

    def __init__(self, rise: NotNegative = 0.1, young: Count = 1_000):
        self.rise, self.young = rise, young

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say that the change is not to be ignored."""
        return None if self._find_reason(state, signal) else "the change is not to be ignored"

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Say why no action is needed."""
        return f"held: {self._find_reason(state, signal)}"

    def _find_reason(self, state: State, signal: Signal) -> str | None:
        name = signal.arm or "champion"
        arm = state.arms.get(name)
        if arm is not None and arm.updates < self.young:
            return f"the {name} has learned {arm.updates} labels only"
        is_rise = signal.watched == "error" and signal.kind != "oscillation"
        if is_rise and signal.after < signal.before * (1 + self.rise):
            return f"the error has risen by less than {self.rise:.0%}"
        return None
