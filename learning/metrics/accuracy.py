"""Accuracy."""

from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("accuracy/1")
class Accuracy:
    """The share of predictions that were right, 0 to 1: `river.metrics.Accuracy`.

    Examples
    --------
    >>> metric = Accuracy()
    >>> metric.update(True, Prediction(True))
    >>> metric.update(True, Prediction(False))
    >>> metric.get()
    0.5
    """

    def __init__(self) -> None:
        self.right = 0
        self.all = 0

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        self.all += 1
        if prediction.value == label:
            self.right += 1

    def get(self) -> float:
        """Return the accuracy so far."""
        return self.right / self.all if self.all else 0.0
