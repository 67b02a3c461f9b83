"""The reaction `hold`: most alarms need no action, and it says why."""

from typing import ClassVar

from headrace.learning.parameters import Count, NotNegative
from headrace.learning.reactions.reaction import Declined
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Hold:
    """Does nothing, and keeps the reactions after it from acting, where an alarm needs no action.

    Parameters
    ----------
    rise
        By what share the error must have risen: below it, the model is left to adapt by itself.
    young
        Labels that the champion must have learned: before that, its error is still finding its level.
    """

    name: ClassVar[str] = "hold"
    changes: ClassVar[bool] = False
    ends: ClassVar[bool] = True

    def __init__(self, rise: NotNegative = 0.1, young: Count = 1_000):
        self.rise, self.young = rise, young

    def act(self, state: State, turn: Turn, signal: Signal) -> str:  # noqa: ARG002
        """Say why no action is needed; decline where one may be."""
        updates = state.arms["champion"].updates
        if updates < self.young:
            return f"held: the champion has learned {updates} labels only"
        if signal.watched == "error" and signal.after < signal.before * (1 + self.rise):
            return f"held: the error has risen by less than {self.rise:.0%}"
        raise Declined("the change is not to be ignored")
