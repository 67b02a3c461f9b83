"""Cohen's kappa."""

import math

from headrace.learning.metrics.tallies import Table


def cohen_kappa(table: Table) -> float:
    """The agreement of labels and predictions beyond that of chance, up to 1: `sklearn.metrics.cohen_kappa_score`. 0 is chance.

    There is no figure while one single class was met and predicted.

    Notes
    -----
    Cohen, "A coefficient of agreement for nominal scales", 1960.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> for label, value in [(True, True), (True, True), (True, False), (False, False)]:
    ...     confusion.update(label, value)
    >>> cohen_kappa(confusion.view())
    0.5
    """
    chance = sum(count * table.predicted[label] for label, count in table.labels.items())
    beyond = table.total**2 - chance
    return (table.total * table.right.total() - chance) / beyond if beyond else math.nan
