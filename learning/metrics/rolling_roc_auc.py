"""The area under the ROC curve, over a moving window."""

from collections.abc import Sequence

from river import metrics

from headrace.learning.prediction import Prediction
from headrace.learning.task import Label


def rolling_roc_auc(window: Sequence[tuple[Label, Prediction]]) -> float:
    """The exact area of the predictions in the window, 0 to 1: `river.metrics.RollingROCAUC`.

    It is computed when asked for: River's metric writes its buffer into its window when it is read, which would make reading
    change the state.

    Examples
    --------
    >>> rolling_roc_auc([(True, Prediction(True, {True: 0.8})), (False, Prediction(True, {True: 0.6}))])
    1.0
    """
    metric = metrics.RollingROCAUC(window_size=max(len(window), 1))
    for label, prediction in window:
        metric.update(label, prediction.probabilities)
    return float(metric.get())
