"""The area under the ROC curve."""

import math

from headrace.learning.metrics.tallies import Groups


def roc_auc(groups: Groups) -> float:
    """The area under the ROC curve, 0 to 1: how often a label true has a higher probability than a label false: `sklearn.metrics.roc_auc_score`.

    Predictions of one group count as ties: as one half each. So since the start it is off by at most half the share of pairs of a label true
    and a label false that are in one cell of the histogram. There is no figure until both labels have come.

    Notes
    -----
    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve", 1982.

    Examples
    --------
    >>> roc_auc(Groups(positives=[0, 1], negatives=[1, 1], p=[0.2, 0.6]))
    0.75
    """
    below = doubled = positives = 0
    for ones, zeros in zip(groups.positives, groups.negatives, strict=True):
        doubled += ones * (2 * below + zeros)
        below += zeros
        positives += ones
    return doubled / (2 * positives * below) if positives and below else math.nan
