"""Recall, for two classes and for more."""

import math

from headrace.learning.metrics.tallies import Table


def recall(table: Table) -> float:
    """Of the labels True, the share that were predicted, 0 to 1; 0 before the first one: `sklearn.metrics.recall_score`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> for value in [True, True, False]:
    ...     confusion.update(True, value)
    >>> round(recall(confusion.view()), 4)
    0.6667
    """
    return table.recall(True)


def macro_recall(table: Table) -> float:
    """The mean of the recall of every class that came or was predicted, 0 to 1: `sklearn.metrics.recall_score` with `average="macro"`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> confusion.update("a", "a")
    >>> confusion.update("a", "b")
    >>> macro_recall(confusion.view())
    0.25
    """
    return math.fsum(map(table.recall, table.classes)) / len(table.classes)
