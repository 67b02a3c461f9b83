"""The step `one_hot`: a category gets a column for each of its first values; all other values are hashed."""

from headrace.learning.features.hashing import Bits, cell_of, text_of
from headrace.learning.features.step import Features, Step
from headrace.learning.parameters import Count
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value

LIMIT = 1_000
"""A string feature without a step has so many columns of its own before its values are hashed."""

BITS = 10
"""Values beyond the limit share two to this power columns."""


@tagged("feature-one-hot/1")
class OneHot(Step):
    """Gives each of the first values a column of its own. Later values share hashed columns, so a model does not grow without end.

    Parameters
    ----------
    limit
        The number of values with a column of their own.
    bits
        All others share two to this power columns.

    Examples
    --------
    >>> step = OneHot(limit=1)
    >>> for city in ("Porto", "Faro"):
    ...     step.learn(city, {}, True)
    >>> step.transform("city", "Porto", {}), step.transform("city", "Faro", {})
    ({'city': 'Porto'}, {'city': '#558'})
    """

    def __init__(self, limit: Count = LIMIT, bits: Bits = BITS):
        self.limit, self.bits = limit, bits
        self.values: dict[str, None] = {}

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the value itself if it has a column, and else the hashed column."""
        text = text_of(value)
        is_own = text in self.values or len(self.values) < self.limit
        return {name: text if is_own else f"#{cell_of(text, self.bits)}"}

    def learn(self, value: Value, x: Features, y: Label | None) -> None:  # noqa: ARG002
        """Give the value a column if there is room."""
        if len(self.values) < self.limit:
            self.values[text_of(value)] = None
