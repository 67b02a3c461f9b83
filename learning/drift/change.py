"""A change that a detector has seen."""

import msgspec


class Change(msgspec.Struct, frozen=True):
    """A change of the error: the mean error and the width of the detector's window, before the change and after it.

    Parameters
    ----------
    before, after
        The mean error: a share of the records, 0 to 1, for classes; in the label's unit for a regression.
    width_before, width
        The number of errors in the detector's window.
    """

    before: float
    after: float
    width_before: int
    width: int
