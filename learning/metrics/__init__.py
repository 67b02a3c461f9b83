"""Metrics: figures over all scored predictions, and over a moving window of the last ones."""

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from headrace.learning.catalogue import KindCatalogue
from headrace.learning.metrics.accuracy import Accuracy
from headrace.learning.metrics.f1 import F1, MacroF1
from headrace.learning.metrics.log_loss import CrossEntropy, LogLoss
from headrace.learning.metrics.mae import MAE
from headrace.learning.metrics.r2 import R2
from headrace.learning.metrics.rmse import RMSE
from headrace.learning.metrics.rolling_roc_auc import rolling_roc_auc
from headrace.learning.prediction import Prediction, number
from headrace.learning.tags import tagged
from headrace.learning.task import Json, Kind, Label

WINDOW = 1_000
"""The number of scored predictions in the moving window."""


Scored = tuple[Label, Label, float | None]
"""A label, the predicted label, and a probability: of true for two classes, of the label for more."""


class Metric(Protocol):
    """A metric: one figure that is updated with each scored prediction. Reading it changes nothing."""

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        ...

    def get(self) -> float:
        """Return the figure so far."""
        ...


METRICS: KindCatalogue[Callable[[], Metric]] = KindCatalogue(
    "metric",
    {
        "accuracy": {"binary": Accuracy, "multiclass": Accuracy},
        "log_loss": {"binary": LogLoss, "multiclass": CrossEntropy},
        "f1": {"binary": F1, "multiclass": MacroF1},
        "mae": {"regression": MAE},
        "rmse": {"regression": RMSE},
        "r2": {"regression": R2},
    },
)
"""Each metric of an arm, with its class for each kind of task. The order of the rows is part of the state."""


@tagged("scoreboard/1")
class Scoreboard:
    """All metrics of an arm, over the whole log and over a moving window.

    Parameters
    ----------
    kind
        The kind of task, which decides the metrics.

    Examples
    --------
    >>> board = Scoreboard("regression")
    >>> board.update(3.0, Prediction(2.0))
    >>> board.update(5.0, Prediction(5.0))
    >>> board.values()["mae"], board.values()["window"]["mae"]
    (0.5, 0.5)
    """

    def __init__(self, kind: Kind):
        self.kind = kind
        self.scored = 0
        self.metrics: dict[str, Metric] = {name: metric() for name, metric in METRICS.of_kind(kind).items()}
        self.window: deque[Scored] = deque(maxlen=WINDOW)

    def update(self, label: Label, prediction: Prediction) -> None:
        """Score one prediction against its label."""
        self.scored += 1
        for metric in self.metrics.values():
            metric.update(label, prediction)
        # Only the plain values that the metrics need, because every snapshot holds a thousand of them.
        probabilities = prediction.probabilities
        p = None if probabilities is None else probabilities.get(True if self.kind == "binary" else label)
        self.window.append((label, prediction.value, p))

    def figures(self) -> dict[str, float | None]:
        """Give every metric over all of the log, by name; None while there is no finite figure."""
        return _figures(self.metrics, self.scored)

    def recent_error(self) -> float | None:
        """Give the mean error over the moving window: the share of wrong classes, or the mean absolute error; None while it is empty."""
        if not self.window:
            return None
        if self.kind == "regression":
            errors = [abs(number(label) - number(value)) for label, value, _ in self.window]
        else:
            errors = [float(label != value) for label, value, _ in self.window]
        mean = sum(errors) / len(errors)
        return mean if math.isfinite(mean) else None

    def values(self) -> dict[str, Json]:
        """Return every metric by name, and those of the moving window as `window`; a metric without a finite figure is None."""
        figures: dict[str, Json] = self.figures()
        recent = {name: metric() for name, metric in METRICS.of_kind(self.kind).items()}
        rows = [(label, self._prediction(label, value, p)) for label, value, p in self.window]
        for metric in recent.values():
            for label, prediction in rows:
                metric.update(label, prediction)
        if self.kind == "binary":
            figures["rolling_roc_auc"] = rolling_roc_auc(rows) if rows else None
        figures["window"] = _figures(recent, len(rows))
        return figures

    def _prediction(self, label: Label, value: Label, p: float | None) -> Prediction:
        if self.kind == "regression":
            return Prediction(value)
        return Prediction(value, {} if p is None else {(True if self.kind == "binary" else label): p})


@tagged("served-scores/1")
class ServedScores:
    """The metrics of the predictions that users were served, which are labels without probabilities.

    Examples
    --------
    >>> scores = ServedScores("binary")
    >>> scores.update(True, True)
    >>> scores.values()
    {'scored': 1, 'accuracy': 1.0, 'f1': 1.0}
    """

    def __init__(self, kind: Kind):
        self.scored = 0
        self.metrics: dict[str, Metric] = {
            name: metric() for name, metric in METRICS.of_kind(kind).items() if name != "log_loss"
        }

    def update(self, label: Label, value: Label) -> None:
        """Score a served prediction against its label."""
        self.scored += 1
        for metric in self.metrics.values():
            metric.update(label, Prediction(value))

    def values(self) -> dict[str, float | None]:
        """Return the number of scored predictions, and every metric by name; a metric without a finite figure is None."""
        return {"scored": self.scored} | _figures(self.metrics, self.scored)


def _figures(metrics: dict[str, Metric], scored: int) -> dict[str, float | None]:
    figures = {name: metric.get() if scored else None for name, metric in metrics.items()}
    return {name: figure if figure is not None and math.isfinite(figure) else None for name, figure in figures.items()}
