"""The step `target`: a category becomes the mean label of its values so far, one number in place of many columns."""

import numpy as np

from headrace.learning.features.hashing import Bits, cell_of, text_of
from headrace.learning.features.step import Features, Step
from headrace.learning.parameters import Positive
from headrace.learning.prediction import number
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value


@tagged("feature-target/1")
class Target(Step):
    """Makes a value into the mean label of the records with that value, drawn to the mean of all records while there are few.

    The label of a record is learned after the record was transformed, so no record sees its own label. For a binary task the mean label is
    the share of true.

    Parameters
    ----------
    prior
        A value's mean counts as much as the mean of all once it has come so often, above 0.
    bits
        The means are kept in two to this power cells; values in one cell share a mean.

    Examples
    --------
    >>> step = Target(prior=1.0)
    >>> for city, label in [("Porto", True), ("Porto", True), ("Faro", False)]:
    ...     step.learn(city, {}, label)
    >>> round(step.transform("city", "Porto", {})["city"], 3), round(step.transform("city", "Faro", {})["city"], 3)
    (0.889, 0.333)

    References
    ----------
    Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001.
    """

    kinds = frozenset(["binary", "regression"])

    def __init__(self, prior: Positive = 20.0, bits: Bits = 16):
        self.prior, self.bits = prior, bits
        self.count, self.mean = 0, 0.0
        self._counts = np.zeros(1 << bits)
        self._sums = np.zeros(1 << bits)

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the mean label of the value under the same name."""
        cell = cell_of(text_of(value), self.bits)
        return {name: float((self._sums[cell] + self.prior * self.mean) / (self._counts[cell] + self.prior))}

    def learn(self, value: Value, x: Features, y: Label | None) -> None:  # noqa: ARG002
        """Count the label."""
        assert y is not None  # a task without labels cannot declare this step
        cell, label = cell_of(text_of(value), self.bits), number(y)
        self._counts[cell] += 1.0
        self._sums[cell] += label
        self.count += 1
        self.mean += (label - self.mean) / self.count
