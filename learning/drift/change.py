"""A change that a detector has seen."""

import msgspec


class Change(msgspec.Struct, frozen=True):
    """The mean error and the number of errors it is of, before the change and after.

    Parameters
    ----------
    before, after
        Mean error; a part of the records for classes, in the label's unit for a regression.
    width_before, width
        Errors in the detector's window.
    """

    before: float
    after: float
    width_before: int
    width: int
