"""The step `log`: the logarithm of a number, for what grows by factors, such as prices and counts."""

from math import copysign, log1p

from headrace.learning.features.step import NUMBERS, Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Value


@tagged("feature-log/1")
class Log(Step):
    """Takes log(1 + x) of a number, and -log(1 - x) of a negative one, so that every number has one.

    Examples
    --------
    >>> Log().transform("price", 0.0, {}), Log().transform("price", -1.0, {})
    ({'price': 0.0}, {'price': -0.6931471805599453})
    """

    takes = NUMBERS

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the logarithm under the same name."""
        number = float(value)
        return {name: copysign(log1p(abs(number)), number)}
