"""The losses by which guards and experiments compare predictions: all lie between 0 and 1."""

from math import log

from headrace.learning.prediction import Prediction, number
from headrace.learning.records.schema import LARGEST
from headrace.learning.tags import tagged
from headrace.learning.task import Kind, Label, Loss

LOG_MIN = 0.001
"""The smallest probability that the log loss tells apart: any smaller one costs as much, and the loss is divided by that cost."""

_LOG_MAX = -log(LOG_MIN)

SETTLE = 100
"""Errors of a regression from which the first scale is taken."""

SCALE = 4.0
"""The error of a regression that counts as 1, in mean errors."""


@tagged("paired-loss/1")
class PairedLoss:
    """Computes the losses of two predictions for the same label, each 0 (right) to 1.

    - `zero_one`: 1 for a wrong class.
    - `brier`: half the sum of the squared errors of the probabilities.
    - `log`: the log loss, cut off at that of the probability `LOG_MIN` and divided by it.
    - `absolute`: the absolute error of a regression, divided by `SCALE` times the mean error of the second prediction so far, and cut off at 1. The
      scale is known before the label comes, so it does not disturb what is concluded from the losses.

    Parameters
    ----------
    kind
        The kind of task.
    loss
        The name of the loss; left out, `zero_one`, or `absolute` for a regression.

    Attributes
    ----------
    error, errors
        The sum and the number of the errors from which the scale of a regression is taken.

    Examples
    --------
    >>> losses = PairedLoss("binary", "brier")
    >>> yes, no = Prediction.of_classes({False: 0.2, True: 0.8}), Prediction.of_classes({False: 0.9, True: 0.1})
    >>> [round(loss, 2) for loss in losses.of(yes, no, True)]
    [0.04, 0.81]
    """

    def __init__(self, kind: Kind, loss: Loss | None = None):
        self.name: Loss = loss or ("absolute" if kind == "regression" else "zero_one")
        self.error = 0.0
        self.errors = 0

    def of(self, first: Prediction, second: Prediction, label: Label) -> tuple[float, float] | None:
        """Compute both losses; None while there is no scale yet, and if a prediction lacks the probabilities that the loss reads."""
        if self.name == "zero_one":
            return (0.0 if first.value == label else 1.0), (0.0 if second.value == label else 1.0)
        if self.name == "absolute":
            return self._absolute(number(first.value), number(second.value), number(label))
        if first.probabilities is None or second.probabilities is None:
            return None
        compute = _log_loss if self.name == "log" else _brier
        return compute(first, label), compute(second, label)

    def _absolute(self, first: float, second: float, label: float) -> tuple[float, float] | None:
        scale = SCALE * self.error / max(self.errors, 1)
        self.errors += 1
        self.error += min(abs(second - label), LARGEST)
        if self.errors <= SETTLE or scale <= 0:
            return None
        return min(abs(first - label) / scale, 1.0), min(abs(second - label) / scale, 1.0)


def _brier(prediction: Prediction, label: Label) -> float:
    probabilities = prediction.probabilities or {}
    others = sum(p * p for answer, p in probabilities.items() if answer != label)
    return min(((1.0 - probabilities.get(label, 0.0)) ** 2 + others) / 2, 1.0)


def _log_loss(prediction: Prediction, label: Label) -> float:
    right = (prediction.probabilities or {}).get(label, 0.0)
    return min(-log(max(right, LOG_MIN)) / _LOG_MAX, 1.0)
