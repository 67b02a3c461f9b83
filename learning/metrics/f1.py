"""F1, for two classes and for more."""

from river import metrics

from headrace.learning.prediction import Prediction
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label


@tagged("f1/1", counts=dict[tuple[Label, Label], Count])
class F1:
    """The harmonic mean of precision and recall of true, 0 to 1: `river.metrics.F1`.

    The state has only counts. River's metric is made from them when it is read, because reading River's metric may change it.

    Examples
    --------
    >>> metric = F1()
    >>> metric.update(True, Prediction(True))
    >>> metric.update(True, Prediction(False))
    >>> round(metric.get(), 4)
    0.6667
    """

    _river: type[metrics.F1 | metrics.MacroF1] = metrics.F1

    def __init__(self) -> None:
        self.counts: dict[tuple[Label, Label], int] = {}

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        pair = label, prediction.value
        counts = self.counts
        counts[pair] = counts[pair] + 1 if pair in counts else 1

    def get(self) -> float:
        """Return the F1 so far."""
        metric = self._river()
        for (label, predicted), count in self.counts.items():
            metric.update(label, predicted, w=count)
        return metric.get()


@tagged("macro-f1/1", counts=dict[tuple[Label, Label], Count])
class MacroF1(F1):
    """The mean of the F1 of every class, 0 to 1: `river.metrics.MacroF1`.

    Examples
    --------
    >>> metric = MacroF1()
    >>> metric.update("a", Prediction("a"))
    >>> metric.update("b", Prediction("c"))
    >>> round(metric.get(), 4)
    0.3333
    """

    _river = metrics.MacroF1
