"""The area under the precision-recall curve."""

import math

from headrace.learning.metrics.tallies import Groups


def pr_auc(groups: Groups) -> float:
    """The area under the precision-recall curve, 0 to 1, as average precision: `sklearn.metrics.average_precision_score`.

    It is the mean, over the labels true, of the precision among the predictions of at least that probability. Predictions of one group are
    ties. So since the start it lies between the figures of the best and of the worst order within the cells of the histogram; it tends to
    be lower than the exact one by some thousandths. There is no figure until a label true has come.

    Notes
    -----
    Davis and Goadrich, "The relationship between precision-recall and ROC curves", 2006: points of the curve must not be joined by lines.

    Examples
    --------
    >>> pr_auc(Groups(positives=[1, 1], negatives=[1, 0], p=[0.2, 0.6]))
    0.8333333333333333
    """
    positives = total = 0
    area = 0.0
    for ones, zeros in zip(reversed(groups.positives), reversed(groups.negatives), strict=True):
        positives += ones
        total += ones + zeros
        area += ones * positives / total
    return area / positives if positives else math.nan
