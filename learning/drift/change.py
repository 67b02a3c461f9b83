"""A change that a detector has seen."""

import msgspec


class Change(msgspec.Struct, frozen=True):
    """A change of what a detector watches: the mean and the number of values before the change and after it, and how sure the detector is.

    Parameters
    ----------
    before, after
        The mean of the watched values: for an error of classes a share of the records, 0 to 1; for a regression, in the label's unit.
    width_before, width
        The number of values that each mean is of.
    statistic, threshold
        What the detector has computed, and the bound that it has passed, in the detector's own terms; None where it tells none.
    is_warning
        Whether the detector only suspects a change so far.
    is_oscillation
        Whether the values go up and down, which their means do not tell: of an error it is never for the better.
    """

    before: float
    after: float
    width_before: int
    width: int
    statistic: float | None = None
    threshold: float | None = None
    is_warning: bool = False
    is_oscillation: bool = False
