"""F1."""

from river import metrics

from learning.prediction import Prediction
from learning.task import Label


class F1:
    """The harmonic mean of precision and recall, 0 to 1: `river.metrics.F1` of true for two classes, `MacroF1` for more.

    Only the counts are kept; River's metric is made from them when it is asked for, because asking River's own may add to it.

    Examples
    --------
    >>> metric = F1()
    >>> metric.update(True, Prediction(True))
    >>> metric.update(True, Prediction(False))
    >>> round(metric.get(), 4)
    0.6667
    """

    def __init__(self) -> None:
        self.counts: dict[tuple[Label, Label], int] = {}

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        pair = (label, prediction.value)
        self.counts[pair] = self.counts.get(pair, 0) + 1

    def get(self) -> float:
        """The F1 so far."""
        binary = all(type(label) is bool for label, _ in self.counts)
        metric = metrics.F1() if binary else metrics.MacroF1()
        for (label, predicted), count in self.counts.items():
            metric.cm.update(label, predicted, w=count)
        return float(metric.get())
