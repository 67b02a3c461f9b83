"""The Brier score."""

from headrace.learning.metrics.tallies import ProbabilityLosses


def brier_score(losses: ProbabilityLosses) -> float:
    """The mean squared error of the probability of true, 0 to 1: `sklearn.metrics.brier_score_loss`.

    Notes
    -----
    Brier, "Verification of forecasts expressed in terms of probability", 1950.

    Examples
    --------
    >>> losses = ProbabilityLosses()
    >>> losses.update(True, True, 0.75)
    >>> losses.update(False, True, 0.75)
    >>> brier_score(losses)
    0.3125
    """
    return losses.squared
