"""The root of the mean squared error."""

from headrace.learning.metrics.tallies import Errors


def rmse(errors: Errors) -> float:
    """The root of the mean squared error, in the label's unit: `river.metrics.RMSE`.

    Examples
    --------
    >>> errors = Errors()
    >>> for label, value in [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0)]:
    ...     errors.update(label, value)
    >>> round(rmse(errors), 4)
    0.5774
    """
    return float(errors.squared**0.5)
