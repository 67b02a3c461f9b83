"""Calibration: the reliability curve, its error, and Murphy's decomposition of the Brier score, all from the same bins."""

from collections.abc import Callable, Sequence

import msgspec

from headrace.learning.metrics.tallies import Group

BINS = 16
"""The number of bins. Edges of equal width are multiples of 1/16: exact floats, and edges of the histogram's cells."""


class Bin(msgspec.Struct, frozen=True):
    """A point of the reliability curve: predictions of about the same probability.

    Parameters
    ----------
    count
        The number of predictions, 1 or more.
    predicted
        The mean probability of True, 0 to 1.
    observed
        The share of labels that were True, 0 to 1. It equals `predicted` if the model is calibrated.
    """

    count: int
    predicted: float
    observed: float


class Murphy(msgspec.Struct, frozen=True):
    """The decomposition of the Brier score: it is reliability - resolution + uncertainty + within.

    Parameters
    ----------
    reliability
        The mean squared distance of the probability from the share of True in its bin: 0 if the model is calibrated.
    resolution
        The mean squared distance of the share of True in a bin from that of all: the larger, the better does the model tell labels apart.
    uncertainty
        The variance of the labels, which no model changes.
    within
        What the bins do not show, because the probabilities in a bin differ.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float


def equal_width(groups: Sequence[Group]) -> list[Bin]:
    """Put predictions into 16 bins of equal width; a bin has its lower edge, and the last one has 1. Empty bins are left out.

    Examples
    --------
    >>> equal_width([Group(1, 3, 0.3), Group(0, 1, 0.31), Group(3, 1, 0.75)])
    [Bin(count=5, predicted=0.302, observed=0.2), Bin(count=4, predicted=0.75, observed=0.75)]
    """
    return _bins(groups, lambda group, _: int(group.p * BINS))


def equal_mass(groups: Sequence[Group]) -> list[Bin]:
    """Put predictions into at most 16 bins of about as many predictions each. Those of one group stay together, in the bin of their middle rank.

    Notes
    -----
    Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing models", 2015.

    Examples
    --------
    >>> [one.count for one in equal_mass([Group(1, 1, p / 100) for p in range(32)])] == [4] * 16
    True
    """
    total = sum(positives + negatives for positives, negatives, _ in groups)
    return _bins(groups, lambda group, below: (2 * below + group.positives + group.negatives) * BINS // (2 * total))


def _bins(groups: Sequence[Group], place: Callable[[Group, int], int]) -> list[Bin]:
    """Put groups into bins; `place` gives the bin of a group from the group and the number of predictions below it."""
    counts, positives, sums = [0] * BINS, [0] * BINS, [0.0] * BINS
    below = 0
    for group in groups:
        at, count = min(place(group, below), BINS - 1), group.positives + group.negatives
        below += count
        counts[at] += count
        positives[at] += group.positives
        sums[at] += count * group.p
    return [
        Bin(count, total / count, ones / count)
        for count, ones, total in zip(counts, positives, sums, strict=True)
        if count
    ]


def expected_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean distance of `predicted` from `observed`, each bin by its predictions."""
    return sum(one.count * abs(one.predicted - one.observed) for one in bins) / sum(one.count for one in bins)


def decompose(bins: Sequence[Bin], brier: float) -> Murphy:
    """Decompose the Brier score of the predictions in bins.

    Notes
    -----
    Murphy, "A new vector partition of the probability score", 1973; for `within`: Stephenson, Coelho and Jolliffe, "Two extra components in
    the Brier score decomposition", 2008.

    Examples
    --------
    >>> decompose([Bin(2, 0.25, 0.0), Bin(2, 0.75, 1.0)], brier=0.0625)
    Murphy(reliability=0.0625, resolution=0.25, uncertainty=0.25, within=0.0)
    """
    total = sum(one.count for one in bins)
    share = sum(one.count * one.observed for one in bins) / total
    reliability = sum(one.count * (one.predicted - one.observed) ** 2 for one in bins) / total
    resolution = sum(one.count * (one.observed - share) ** 2 for one in bins) / total
    uncertainty = share * (1 - share)
    return Murphy(reliability, resolution, uncertainty, brier - (reliability - resolution + uncertainty))
