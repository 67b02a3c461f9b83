"""The Matthews correlation coefficient."""

import math

from headrace.learning.metrics.tallies import Table


def mcc(table: Table) -> float:
    """The correlation of labels and predictions, -1 to 1, for two classes and for more: `sklearn.metrics.matthews_corrcoef`. 0 is chance.

    It is 0 while all labels are the same, or all predictions.

    Notes
    -----
    Matthews, "Comparison of the predicted and observed secondary structure of T4 phage lysozyme", 1975; Gorodkin, "Comparing two K-category
    assignments by a K-category correlation coefficient", 2004.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Confusion
    >>> confusion = Confusion()
    >>> for label, value in [(True, True), (True, True), (True, False), (False, False)]:
    ...     confusion.update(label, value)
    >>> round(mcc(confusion.view()), 4)
    0.5774
    """
    squared = table.total**2
    common = table.total * table.right.total() - sum(
        count * table.predicted[label] for label, count in table.labels.items()
    )
    labels = squared - sum(count**2 for count in table.labels.values())
    predicted = squared - sum(count**2 for count in table.predicted.values())
    return common / math.sqrt(labels * predicted) if labels and predicted else 0.0
