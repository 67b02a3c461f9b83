"""Calibration: the reliability curve, its error, and Murphy's decomposition of the Brier score, all from the same bins."""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from headrace.learning.metrics.tallies import Groups

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


def equal_width(groups: Groups) -> list[Bin]:
    """Put predictions into 16 bins of equal width; a bin has its lower edge, and the last one has 1. Empty bins are left out.

    Examples
    --------
    >>> equal_width(Groups([1, 0, 3], [3, 1, 1], [0.3, 0.31, 0.75]))
    [Bin(count=5, predicted=0.302, observed=0.2), Bin(count=4, predicted=0.75, observed=0.75)]
    """
    return _bins(groups, np.minimum((np.array(groups.p) * BINS).astype(np.int64), BINS - 1))


def equal_mass(groups: Groups) -> list[Bin]:
    """Put predictions into at most 16 bins of about as many predictions each. Those of one group stay together, in the bin of their middle rank.

    Notes
    -----
    Nguyen and O'Connor, "Posterior calibration and exploratory analysis for natural language processing models", 2015.

    Examples
    --------
    >>> [one.count for one in equal_mass(Groups([1] * 32, [1] * 32, [p / 100 for p in range(32)]))] == [4] * 16
    True
    """
    counts = np.array(groups.positives, np.int64) + np.array(groups.negatives, np.int64)
    middles = 2 * np.cumsum(counts) - counts  # doubled
    return _bins(groups, middles * BINS // max(2 * int(counts.sum()), 1))


def _bins(groups: Groups, places: npt.NDArray[np.int64]) -> list[Bin]:
    """Put each group into its bin, 0 to 15."""
    positives = np.array(groups.positives, np.int64)
    counts = positives + np.array(groups.negatives, np.int64)
    # Sums of whole numbers below 2**53 are exact as floats, and those of probabilities are added in the order of the groups.
    weights = (counts, positives, counts * np.array(groups.p))
    sums = zip(*(np.bincount(places, one, BINS).tolist() for one in weights), strict=True)
    return [Bin(int(count), total / count, ones / count) for count, ones, total in sums if count]


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
