"""The root of the mean squared error."""

import math

from river import metrics

from headrace.learning.prediction import Prediction, number
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("rmse/1")
class RMSE:
    """The root of the mean squared error: `river.metrics.RMSE`.

    Examples
    --------
    >>> metric = RMSE()
    >>> for label, value in [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0)]:
    ...     metric.update(label, Prediction(value))
    >>> round(metric.get(), 4)
    0.5774
    """

    def __init__(self) -> None:
        self._metric = metrics.RMSE()

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        try:
            self._metric.update(number(label), number(prediction.value))
        except OverflowError:  # the square of an error above 1e154
            self._metric.update(math.inf, 0.0)

    def get(self) -> float:
        """Return the error so far, in the label's unit."""
        return float(self._metric.get())
