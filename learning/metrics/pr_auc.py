"""The area under the precision-recall curve."""

import math
from collections.abc import Sequence

from headrace.learning.metrics.tallies import Group


def pr_auc(groups: Sequence[Group]) -> float:
    """The area under the precision-recall curve, 0 to 1, as average precision: `sklearn.metrics.average_precision_score`.

    It is the mean, over the labels true, of the precision among the predictions of at least that probability. Predictions of one group are
    ties. So since the start it lies between the figures of the best and of the worst order within the cells of the histogram; it tends to
    be lower than the exact one by some thousandths. There is no figure until a label true has come.

    Notes
    -----
    Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006: points of the curve must not be joined by lines.

    Examples
    --------
    >>> pr_auc([Group(positives=1, negatives=1, p=0.2), Group(positives=1, negatives=0, p=0.6)])
    0.8333333333333333
    """
    positives = total = 0
    area = 0.0
    for group in reversed(groups):
        positives += group.positives
        total += group.positives + group.negatives
        area += group.positives * positives / total
    return area / positives if positives else math.nan
