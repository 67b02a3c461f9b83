"""What a model gets in the place of a feature that a record leaves out."""

from abc import abstractmethod

from river import base

from headrace.learning.features.hashing import text_of
from headrace.learning.features.last import Last
from headrace.learning.features.step import Features
from headrace.learning.tags import tagged
from headrace.learning.task import Value


class Fill(base.Base):
    """Stands in for a missing value. It changes only in `learn`."""

    @abstractmethod
    def fill(self, name: str, x: Features) -> Features:
        """Return what a record with the features `x`, which lacks the feature `name`, has in its place."""

    def learn(self, value: Value, x: Features) -> None:
        """Learn from a value that is there, in a record with the features `x`."""


@tagged("fill-indicator/1")
class Indicator(Fill):
    """Says that the value is missing, which may mean something by itself.

    Examples
    --------
    >>> Indicator().fill("income", {})
    {'income.missing': '1'}
    """

    def fill(self, name: str, x: Features) -> Features:  # noqa: ARG002
        """Return a category that says so."""
        return {f"{name}.missing": "1"}


@tagged("fill-mean/1")
class Mean(Fill):
    """Stands in with the mean of the values so far.

    Examples
    --------
    >>> fill = Mean()
    >>> for income in (10.0, 20.0):
    ...     fill.learn(income, {})
    >>> fill.fill("income", {})
    {'income': 15.0}
    """

    def __init__(self) -> None:
        self.count, self.mean = 0, 0.0

    def fill(self, name: str, x: Features) -> Features:  # noqa: ARG002
        """Return the mean, or nothing before the first value."""
        return {name: self.mean} if self.count else {}

    def learn(self, value: Value, x: Features) -> None:  # noqa: ARG002
        """Update the mean; a string has none."""
        if isinstance(value, str):
            return
        self.count += 1
        self.mean += (float(value) - self.mean) / self.count


@tagged("fill-last/1")
class LastOf(Fill):
    """Stands in with the last value of the same entity, such as the last price of the same stock.

    Parameters
    ----------
    by
        The feature that names the entity.

    Examples
    --------
    >>> fill = LastOf(by="stock")
    >>> fill.learn(12.5, {"stock": "A"})
    >>> fill.fill("price", {"stock": "A"}), fill.fill("price", {"stock": "B"})
    ({'price': 12.5}, {})
    """

    def __init__(self, by: str):
        self.by = by
        self.last = Last()

    def fill(self, name: str, x: Features) -> Features:
        """Return the entity's last value, or nothing if it has none."""
        value = self.last.of(text_of(x[self.by])) if self.by in x else None
        return {} if value is None else {name: value}

    def learn(self, value: Value, x: Features) -> None:
        """Remember the value."""
        if self.by in x:
            self.last.note(text_of(x[self.by]), value)
