"""The expected calibration error."""

from collections.abc import Sequence

from headrace.learning.metrics.calibration import equal_width, expected_error
from headrace.learning.metrics.tallies import Group


def ece(groups: Sequence[Group]) -> float:
    """The expected calibration error, 0 to 1: the mean distance of the probability of true from the share of true, in 16 bins of equal width.

    Notes
    -----
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015.

    Examples
    --------
    >>> ece([Group(positives=1, negatives=3, p=0.375), Group(positives=3, negatives=1, p=0.75)])
    0.0625
    """
    return expected_error(equal_width(groups))
