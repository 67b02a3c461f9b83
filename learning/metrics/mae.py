"""The mean absolute error."""

from river import metrics

from headrace.learning.prediction import Prediction, number
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("mae/1")
class MAE:
    """The mean absolute error: `river.metrics.MAE`.

    Examples
    --------
    >>> metric = MAE()
    >>> for label, value in [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0)]:
    ...     metric.update(label, Prediction(value))
    >>> round(metric.get(), 4)
    0.3333
    """

    def __init__(self) -> None:
        self._metric = metrics.MAE()

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        self._metric.update(number(label), number(prediction.value))

    def get(self) -> float:
        """Return the error so far, in the label's unit."""
        return float(self._metric.get())
