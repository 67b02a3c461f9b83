"""The Brier score."""

from headrace.learning.metrics.tallies import Groups


def brier_score(groups: Groups) -> float:
    """The mean squared error of the probability of true, 0 to 1: `sklearn.metrics.brier_score_loss`.

    Notes
    -----
    Brier, "Verification of forecasts expressed in terms of probability", 1950.

    Examples
    --------
    >>> from headrace.learning.metrics.tallies import Probabilities
    >>> tally = Probabilities()
    >>> tally.update(True, True, 0.75)
    >>> tally.update(False, True, 0.75)
    >>> brier_score(tally.view())
    0.3125
    """
    return groups.squared
