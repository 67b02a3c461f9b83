"""The reactions `boost` and `calm`: change the champion's learning rate for a while."""

from typing import Annotated, ClassVar

from msgspec import Meta

from headrace.learning.models.rate import holders
from headrace.learning.parameters import Count
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class _ChangeOfRate:
    """Changes the champion's learning rate by a factor, for so many updates."""

    changes: ClassVar[bool] = True
    ends: ClassVar[bool] = True

    def __init__(self, factor: float, over: int):
        self.factor, self.over = factor, over

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say that the champion's model has no learning rate."""
        arm = state.arms["champion"]
        return f"the model '{arm.model_name}' has no learning rate" if next(holders(arm.model), None) is None else None

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Change the rate of the champion."""
        state.arms["champion"].rate.change(self.factor, self.over)
        return f"learning rate times {self.factor:g}, back over {self.over} updates"


class Boost(_ChangeOfRate):
    """Multiplies the champion's learning rate, which then goes back to its own value in a straight line.

    Parameters
    ----------
    factor
        By what the rate is multiplied, 1 to 1,000.
    over
        Updates until the rate is its own again.
    """

    name: ClassVar[str] = "boost"

    def __init__(self, factor: Annotated[float, Meta(ge=1, le=1_000)] = 5.0, over: Count = 1_000):
        super().__init__(factor, over)


class Calm(_ChangeOfRate):
    """Lowers the champion's learning rate, which then goes back to its own value in a straight line. Meant for the detector `oscillation`.

    Parameters
    ----------
    factor
        By what the rate is multiplied, above 0 and up to 1.
    over
        Updates until the rate is its own again.
    """

    name: ClassVar[str] = "calm"

    def __init__(self, factor: Annotated[float, Meta(gt=0, le=1)] = 0.2, over: Count = 5_000):
        super().__init__(factor, over)
