"""Log loss, for two classes and for more."""

from math import log

from river import metrics, stats

from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import Label

LEAST, MOST = 1e-15, 1 - 1e-15  # River's bounds: a probability of 0 must not cost infinitely much


@tagged("log-loss/1")
class LogLoss:
    """The mean of minus the logarithm of the probability given to the label, 0 or more: `river.metrics.LogLoss`.

    Examples
    --------
    >>> metric = LogLoss()
    >>> metric.update(True, Prediction(True, {False: 0.1, True: 0.9}))
    >>> round(metric.get(), 6)
    0.105361
    """

    def __init__(self) -> None:
        self._mean = stats.Mean()

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        probabilities = prediction.probabilities
        assert probabilities is not None
        p = min(max(probabilities.get(True, 0.0), LEAST), MOST)
        self._mean.update(-log(p) if label else -log(1 - p))

    def get(self) -> float:
        """Return the log loss so far."""
        return float(self._mean.get())


@tagged("cross-entropy/1")
class CrossEntropy:
    """The log loss for more than two classes: `river.metrics.CrossEntropy`.

    Examples
    --------
    >>> metric = CrossEntropy()
    >>> metric.update("b", Prediction("b", {"a": 0.1, "b": 0.9}))
    >>> round(metric.get(), 6)
    0.105361
    """

    def __init__(self) -> None:
        self._metric = metrics.CrossEntropy()

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        self._metric.update(label, prediction.probabilities)

    def get(self) -> float:
        """Return the cross entropy so far."""
        return float(self._metric.get())
