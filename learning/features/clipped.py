"""The step `clipped`: numbers beyond two bounds count as the bound, so that single wild values move no model."""

from headrace.learning.features.step import NUMBERS, Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Value


@tagged("feature-clipped/1")
class Clipped(Step):
    """Limits a number.

    Parameters
    ----------
    low, high
        The bounds. Left out: there is none on that side.

    Examples
    --------
    >>> Clipped(high=100.0).transform("age", 999, {})
    {'age': 100.0}
    """

    takes = NUMBERS

    def __init__(self, low: float | None = None, high: float | None = None):
        if low is not None and high is not None and low > high:
            raise ValueError(f"low is {low:g}, and high is {high:g}")
        self.low, self.high = low, high

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the number within the bounds."""
        number = float(value)
        if self.low is not None and number < self.low:
            number = self.low
        if self.high is not None and number > self.high:
            number = self.high
        return {name: number}
