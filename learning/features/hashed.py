"""The step `hashed`: a category with very many values shares a fixed number of columns."""

from headrace.learning.features.hashing import Bits, cell_of, text_of
from headrace.learning.features.step import Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Value


@tagged("feature-hashed/1")
class Hashed(Step):
    """Makes a value into one of 2**bits columns. Values that share a column count as the same.

    Parameters
    ----------
    bits
        The number of columns is two to this power, 4 to 20.

    Examples
    --------
    >>> Hashed(bits=8).transform("user", "u4711", {})
    {'user': '#193'}

    References
    ----------
    Weinberger and others, "Feature hashing for large scale multitask learning", 2009.
    """

    def __init__(self, bits: Bits = 12):
        self.bits = bits

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the column as a string, which is a category like any other."""
        return {name: f"#{cell_of(text_of(value), self.bits)}"}
