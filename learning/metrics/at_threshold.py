"""Labels that were predicted at another threshold than the one in force."""

from bisect import bisect_left

from headrace.learning.metrics.tallies import Confusion, Groups, Table


def at_threshold(groups: Groups, threshold: float) -> Table:
    """Return the confusion table if True were predicted from a probability on, for precision, recall and F-beta at that threshold.

    Parameters
    ----------
    groups
        The groups of a tally of scores. A cell of a histogram is predicted as a whole, by its mean probability; so all is exact at its edges,
        such as multiples of 1/64.
    threshold
        The least probability of True that is predicted as True.

    Examples
    --------
    >>> from headrace.learning.metrics.precision import precision
    >>> groups = Groups(positives=[0, 2, 4], negatives=[3, 1, 0], p=[0.2, 0.4, 0.9])
    >>> precision(at_threshold(groups, 0.5)), round(precision(at_threshold(groups, 0.25)), 4)
    (1.0, 0.8571)
    """
    confusion, at = Confusion(), bisect_left(groups.p, threshold)
    for label, counts in (True, groups.positives), (False, groups.negatives):
        for predicted, part in (False, counts[:at]), (True, counts[at:]):
            if count := sum(part):
                confusion.count(label, predicted, count)
    return confusion.view()
