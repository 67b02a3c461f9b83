"""Accuracy."""

from headrace.learning.metrics.tallies import Table


def accuracy(table: Table) -> float:
    """The share of predictions that were right, 0 to 1: `river.metrics.Accuracy`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> confusion.update(True, True)
    >>> confusion.update(True, False)
    >>> accuracy(confusion.view())
    0.5
    """
    return table.right.total() / table.total
