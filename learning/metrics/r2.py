"""The coefficient of determination."""

from headrace.learning.metrics.tallies import Errors


def r2(errors: Errors) -> float:
    """The coefficient of determination, up to 1: `river.metrics.R2`. 0 is as good as the mean of the labels.

    It is 0 before the second label, and while all labels are the same.

    Examples
    --------
    >>> errors = Errors()
    >>> for label, value in [(1.0, 1.0), (2.0, 3.0), (3.0, 3.0)]:
    ...     errors.update(label, value)
    >>> round(r2(errors), 4)
    0.5
    """
    if errors.count < 2 or not errors.spread:
        return 0.0
    spread = (errors.count - 1) * (errors.spread / (errors.count - 1))  # as River rounds it
    return 1 - errors.residual / spread
