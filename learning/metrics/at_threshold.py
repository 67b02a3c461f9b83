"""Labels that were predicted at another threshold than the one in force."""

from collections.abc import Sequence

from headrace.learning.metrics.tallies import Confusion, Group, Table


def at_threshold(groups: Sequence[Group], threshold: float) -> Table:
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
    >>> groups = [Group(positives=0, negatives=3, p=0.2), Group(positives=2, negatives=1, p=0.4), Group(positives=4, negatives=0, p=0.9)]
    >>> precision(at_threshold(groups, 0.5)), round(precision(at_threshold(groups, 0.25)), 4)
    (1.0, 0.8571)
    """
    confusion = Confusion()
    for group in groups:
        for label, count in (True, group.positives), (False, group.negatives):
            if count:
                pair = label, group.p >= threshold
                confusion.counts[pair] = confusion.counts.get(pair, 0) + count
    return confusion.view()
