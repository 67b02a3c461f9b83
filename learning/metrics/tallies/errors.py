"""The errors of a regression."""

import math

from headrace.learning.metrics.tallies.tally import Tally, merge_means
from headrace.learning.prediction import number
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("errors/1")
class Errors(Tally):
    """Means of the errors of a regression, and the spread of its labels. Merging is exact but for the rounding of floats.

    The figures equal River's to the last bit: `river.metrics.MAE`, `RMSE` and `R2`. Spreads are merged as in Chan, Golub and LeVeque,
    "Algorithms for computing the sample variance: analysis and recommendations", 1983.

    Attributes
    ----------
    count
        The number of predictions.
    absolute, squared
        The means of the absolute and of the squared error.
    under
        The mean of the errors of predictions that were too low: of label - prediction where that is positive, and 0 elsewhere.
    label
        The mean of the labels.
    spread
        The sum of the squared distances of the labels from their mean.
    residual
        The sum of the squared errors.

    Examples
    --------
    >>> errors = Errors()
    >>> for label, value in [(1.0, 1.0), (2.0, 4.0), (3.0, 2.0)]:
    ...     errors.update(label, value)
    >>> round(errors.absolute, 4), round(errors.under, 4), errors.label, errors.spread
    (1.0, 0.3333, 2.0, 2.0)
    """

    name = "errors"

    def __init__(self) -> None:
        self.count = 0
        self.absolute = 0.0
        self.squared = 0.0
        self.under = 0.0
        self.label = 0.0
        self.spread = 0.0
        self.residual = 0.0

    def update(self, label: Label, value: Label, p: float | None = None) -> None:  # noqa: ARG002
        """Count one prediction."""
        y = number(label)
        error = y - number(value)
        try:
            square = error**2
        except OverflowError:  # an error above 1e154
            square = math.inf
        self.count = count = self.count + 1
        share = 1.0 / count
        self.absolute += share * (abs(error) - self.absolute)
        self.squared += share * (square - self.squared)
        self.under += share * ((error if error > 0 else 0.0) - self.under)
        before = self.label
        self.label += share * (y - before)
        self.spread += (y - before) * (y - self.label)
        self.residual += error * error  # which may differ from the square in the last bit

    def add(self, other: "Errors") -> None:
        """Count all predictions of another tally too."""
        if not other.count:
            return
        total, apart = self.count + other.count, other.label - self.label
        for name in ("absolute", "squared", "under", "label"):
            setattr(self, name, merge_means(self.count, getattr(self, name), other.count, getattr(other, name)))
        self.spread += other.spread + apart * apart * self.count * other.count / total
        self.residual += other.residual
        self.count = total

    def view(self) -> "Errors":
        """Return the tally itself."""
        return self
