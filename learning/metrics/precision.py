"""Precision, for two classes and for more."""

import math

from headrace.learning.metrics.tallies import Table


def precision(table: Table) -> float:
    """Of the predictions of True, the share that were right, 0 to 1; 0 before the first one: `sklearn.metrics.precision_score`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> for label in [True, True, False]:
    ...     confusion.update(label, True)
    >>> round(precision(confusion.view()), 4)
    0.6667
    """
    return table.precision(True)


def macro_precision(table: Table) -> float:
    """The mean of the precision of every class that came or was predicted, 0 to 1: `sklearn.metrics.precision_score` with `average="macro"`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> confusion.update("a", "a")
    >>> confusion.update("b", "a")
    >>> macro_precision(confusion.view())
    0.25
    """
    return math.fsum(map(table.precision, table.classes)) / len(table.classes)
