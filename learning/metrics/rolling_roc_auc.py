"""The area under the ROC curve, over a moving window."""

from collections.abc import Sequence

from river import metrics

from headrace.learning.prediction import Prediction
from headrace.learning.task import Label


def rolling_roc_auc(window: Sequence[tuple[Label, Prediction]]) -> float:
    """Compute the exact area for the predictions in a window, 0 to 1: `river.metrics.RollingROCAUC`.

    The state has no such metric, because reading River's metric changes it: it writes its buffer into its window.

    Examples
    --------
    >>> rolling_roc_auc([(True, Prediction(True, {True: 0.8})), (False, Prediction(True, {True: 0.6}))])
    1.0
    """
    metric = metrics.RollingROCAUC(window_size=max(len(window), 1))
    for label, prediction in window:
        metric.update(label, prediction.probabilities)
    return float(metric.get())
