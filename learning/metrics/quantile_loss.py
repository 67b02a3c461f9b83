"""The quantile loss."""

from headrace.learning.metrics.tallies import Errors


def quantile_loss(errors: Errors, quantile: float = 0.5) -> float:
    """The quantile loss, in the label's unit: `sklearn.metrics.mean_pinball_loss`. That of the median, which is shown, is half the mean absolute error.

    Parameters
    ----------
    errors
        The errors.
    quantile
        The quantile that the model should predict, between 0 and 1: what a prediction that is too low by 1 costs; one too high costs the rest.

    Notes
    -----
    Koenker and Bassett, "Regression quantiles", 1978.

    Examples
    --------
    >>> errors = Errors()
    >>> for label, value in [(1.0, 1.0), (2.0, 4.0), (3.0, 2.0)]:
    ...     errors.update(label, value)
    >>> quantile_loss(errors), round(quantile_loss(errors, 0.9), 4)
    (0.5, 0.3667)
    """
    return quantile * errors.under + (1 - quantile) * (errors.absolute - errors.under)
