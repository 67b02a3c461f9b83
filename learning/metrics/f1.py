"""F1 and F-beta, for two classes and for more."""

import math

from headrace.learning.metrics.tallies import Table
from headrace.learning.task import Label


def f1(table: Table) -> float:
    """The harmonic mean of precision and recall of true, 0 to 1: `river.metrics.F1`.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> confusion.update(True, True)
    >>> confusion.update(True, False)
    >>> round(f1(confusion.view()), 4)
    0.6667
    """
    return f_beta(table, True)


def macro_f1(table: Table) -> float:
    """The mean of the F1 of every class, 0 to 1: `river.metrics.MacroF1`.

    The sum is rounded once, so it does not depend on the order of the classes. River adds in the order of a set, and may differ in the last bits.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> confusion.update("a", "a")
    >>> confusion.update("b", "c")
    >>> round(macro_f1(confusion.view()), 4)
    0.3333
    """
    return math.fsum(f_beta(table, label) for label in table.classes) / len(table.classes)


def f_beta(table: Table, label: Label, beta: float = 1.0) -> float:
    """Return the weighted harmonic mean of precision and recall of a label, 0 to 1: `river.metrics.FBeta`.

    Parameters
    ----------
    table
        The confusion table.
    label
        The label.
    beta
        How much more recall weighs than precision; above 0.

    Notes
    -----
    Van Rijsbergen, "Information Retrieval", 2nd edition, 1979.
    """
    p, r, squared = table.precision(label), table.recall(label), beta**2
    return (1 + squared) * p * r / (squared * p + r) if p or r else 0.0
