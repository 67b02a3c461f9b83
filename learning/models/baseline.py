"""Baselines: simple models that a better model has to beat."""

from river import base, dummy, stats

from headrace.learning.models.classes import LastingClasses
from headrace.learning.tags import tagged
from headrace.learning.task import Value


@tagged("no-change/1")
class NoChange(LastingClasses, dummy.NoChangeClassifier):
    """River's no-change classifier, with classes whose order survives a restart."""


def no_change() -> NoChange:
    """Make a classifier that predicts the last label.

    Examples
    --------
    >>> model = no_change()
    >>> model.learn_one({}, "b")
    >>> model.predict_one({})
    'b'

    References
    ----------
    `river.dummy.NoChangeClassifier`.
    """
    return NoChange()


@tagged("no-change-regressor/1", last=float | int | None)
class NoChangeRegressor(base.Regressor):
    """Predicts the last label; None before the first one."""

    def __init__(self) -> None:
        self.last: float | None = None

    def learn_one(self, x: dict[str, Value], y: float) -> None:  # noqa: ARG002
        """Keep the label."""
        self.last = y

    def predict_one(self, x: dict[str, Value]) -> float | None:  # noqa: ARG002
        """Return the last label."""
        return self.last


def no_change_regressor() -> NoChangeRegressor:
    """Make a regressor that predicts the last label.

    Examples
    --------
    >>> model = no_change_regressor()
    >>> model.learn_one({}, 2.5)
    >>> model.predict_one({})
    2.5
    """
    return NoChangeRegressor()


def majority() -> dummy.PriorClassifier:
    """Make a classifier that predicts the most frequent label so far; its probabilities are the shares of the labels.

    Examples
    --------
    >>> model = majority()
    >>> for label in ("b", "a", "b"):
    ...     model.learn_one({}, label)
    >>> model.predict_proba_one({})["a"]
    0.3333333333333333

    References
    ----------
    `river.dummy.PriorClassifier`.
    """
    return dummy.PriorClassifier()


def mean() -> dummy.StatisticRegressor:
    """Make a regressor that predicts the mean of all labels so far.

    Examples
    --------
    >>> model = mean()
    >>> for label in (1.0, 2.0, 6.0):
    ...     model.learn_one({}, label)
    >>> model.predict_one({})
    3.0

    References
    ----------
    `river.dummy.StatisticRegressor`.
    """
    return dummy.StatisticRegressor(stats.Mean())
