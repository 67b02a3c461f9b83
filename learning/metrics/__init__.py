"""Metrics: every prediction that is scored is counted here, over all of the log and over a moving window."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from headrace.learning.catalogue import KindCatalogue
from headrace.learning.metrics.accuracy import Accuracy
from headrace.learning.metrics.f1 import F1, MacroF1
from headrace.learning.metrics.log_loss import CrossEntropy, LogLoss
from headrace.learning.metrics.mae import MAE
from headrace.learning.metrics.r2 import R2
from headrace.learning.metrics.rmse import RMSE
from headrace.learning.metrics.rolling_roc_auc import rolling_roc_auc
from headrace.learning.prediction import Prediction
from headrace.learning.tags import tagged
from headrace.learning.task import Kind, Label

WINDOW = 1_000
"""Scored predictions in the moving window."""


Scored = tuple[Label, Label, float | None]
"""A label, what was predicted, and the probability of true (two classes) or of the label (more)."""


class Metric(Protocol):
    """One figure, updated with each scored prediction; reading it changes nothing."""

    def update(self, label: Label, prediction: Prediction) -> None:
        """Count one prediction."""
        ...

    def get(self) -> float:
        """The figure so far."""
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
"""Each metric of an arm, with the class that counts it for a kind of task. The order of the rows is part of the state."""


@tagged("scoreboard/1")
class Scoreboard:
    """All metrics of an arm.

    Parameters
    ----------
    kind
        Decides which metrics there are.

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
        # What the metrics need of a prediction, as plain values: a thousand of them are in every snapshot.
        probabilities = prediction.probabilities
        p = None if probabilities is None else probabilities.get(True if self.kind == "binary" else label)
        self.window.append((label, prediction.value, p))

    def values(self) -> dict[str, Any]:
        """Every metric by name, and under `window` those of the last predictions; None while there is no finite figure."""
        found: dict[str, Any] = _figures(self.metrics, self.scored)
        recent = {name: metric() for name, metric in METRICS.of_kind(self.kind).items()}
        rows = [(label, self._prediction(label, value, p)) for label, value, p in self.window]
        for metric in recent.values():
            for label, prediction in rows:
                metric.update(label, prediction)
        if self.kind == "binary":
            found["rolling_roc_auc"] = rolling_roc_auc(rows) if rows else None
        found["window"] = _figures(recent, len(rows))
        return found

    def _prediction(self, label: Label, value: Label, p: float | None) -> Prediction:
        if self.kind == "regression":
            return Prediction(value)
        return Prediction(value, {} if p is None else {(True if self.kind == "binary" else label): p})


@tagged("served-scores/1")
class ServedScores:
    """The metrics of what users were told: labels alone, without probabilities.

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
        """Score what was told against the label."""
        self.scored += 1
        for metric in self.metrics.values():
            metric.update(label, Prediction(value))

    def values(self) -> dict[str, float | None]:
        """How many were scored, and every metric by name; None while there is no finite figure."""
        return {"scored": self.scored} | _figures(self.metrics, self.scored)


def _figures(metrics: dict[str, Metric], scored: int) -> dict[str, float | None]:
    figures = {name: metric.get() if scored else None for name, metric in metrics.items()}
    return {name: figure if figure is not None and math.isfinite(figure) else None for name, figure in figures.items()}
