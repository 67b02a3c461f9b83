"""The expected calibration error."""

from headrace.learning.metrics.calibration import equal_width, expected_error
from headrace.learning.metrics.tallies import Groups


def ece(groups: Groups) -> float:
    """The expected calibration error, 0 to 1: the mean distance of the probability of true from the share of true, in 16 bins of equal width.

    Notes
    -----
    Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015.

    Examples
    --------
    >>> ece(Groups(positives=[1, 3], negatives=[3, 1], p=[0.375, 0.75]))
    0.0625
    """
    return expected_error(equal_width(groups))
