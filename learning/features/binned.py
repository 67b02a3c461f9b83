"""The step `binned`: a number becomes the bin that it lies in, so that a linear model can learn any curve."""

from math import floor

from headrace.learning.features.step import NUMBERS, Features, Step
from headrace.learning.parameters import Positive
from headrace.learning.tags import tagged
from headrace.learning.task import Value

MOST = 500
"""A number more than so many bins from 0 is in the last bin on its side: the number of bins is bounded."""


@tagged("feature-binned/1")
class Binned(Step):
    """Makes a number into the string of its bin, a category like any other.

    Parameters
    ----------
    width
        The width of each bin, above 0. The bins begin at the multiples of it; there are at most 1,001.

    Examples
    --------
    >>> Binned(width=10.0).transform("age", 37, {})
    {'age': '30'}
    """

    takes = NUMBERS

    def __init__(self, width: Positive):
        self.width = width

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the lower end of the bin, as a string."""
        number = floor(min(max(float(value) / self.width, -MOST), MOST))
        return {name: f"{number * self.width:g}"}
