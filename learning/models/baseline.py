"""Baselines: simple models that a better model has to beat."""

from river import dummy, stats

from headrace.learning.models.classes import LastingClasses
from headrace.learning.tags import tagged


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
