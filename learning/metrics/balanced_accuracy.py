"""Balanced accuracy."""

import math

from headrace.learning.metrics.tallies import Table


def balanced_accuracy(table: Table) -> float:
    """The mean of the recall of every label that came, 0 to 1: `sklearn.metrics.balanced_accuracy_score`. A rare label weighs as much as any other.

    Notes
    -----
    Brodersen, Ong, Stephan and Buhmann, "The balanced accuracy and its posterior distribution", 2010.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> for label in [False, False, False, True]:
    ...     confusion.update(label, False)
    >>> balanced_accuracy(confusion.view())
    0.5
    """
    return math.fsum(table.recall(label) for label in table.labels) / len(table.labels)
