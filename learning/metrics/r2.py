"""The coefficient of determination."""

from river import metrics

from headrace.learning.prediction import Prediction, number
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("r2/1")
class R2:
    """The coefficient of determination: `river.metrics.R2`.

    Examples
    --------
    >>> metric = R2()
    >>> for label, value in [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0)]:
    ...     metric.update(label, Prediction(value))
    >>> round(metric.get(), 4)
    0.5
    """

    def __init__(self) -> None:
        self._metric = metrics.R2()

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        self._metric.update(number(label), number(prediction.value))

    def get(self) -> float:
        """Return the coefficient so far."""
        return float(self._metric.get())
