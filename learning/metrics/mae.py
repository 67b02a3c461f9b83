"""The mean absolute error."""

from headrace.learning.metrics.tallies import Errors


def mae(errors: Errors) -> float:
    """The mean absolute error, in the label's unit: `river.metrics.MAE`.

    Examples
    --------
    >>> errors = Errors()
    >>> for label, value in [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0)]:
    ...     errors.update(label, value)
    >>> round(mae(errors), 4)
    0.3333
    """
    return errors.absolute
