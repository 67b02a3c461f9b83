"""ADWIN: a window that keeps what is alike and drops what is not."""

from river.drift import ADWIN

from headrace.learning.drift.change import Change
from headrace.learning.tags import tagged


@tagged("adwin/1")
class Adwin:
    """Signals when the mean error of the recent part of its window differs from that of the older part.

    It fires when things get better too: look at `before` and `after`. On a detection the older part is dropped, and all of the
    window with the next error, so both means are read at that moment.

    Parameters
    ----------
    delta
        Significance, 0 to 1: the smaller, the surer and the later.

    Examples
    --------
    >>> detector = Adwin()
    >>> for at in range(2000):
    ...     change = detector.update(0.1 if at < 1000 else 0.6)
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2))
    ...         break
    1023 0.11 0.17

    References
    ----------
    Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", 2007; `river.drift.ADWIN`.
    """

    name = "adwin"

    def __init__(self, delta: float = 0.002):
        self.delta = delta
        self._adwin = ADWIN(delta=delta)
        # River's window, counted along: asking it before every update costs more than the update.
        self._total, self._width = 0.0, 0

    def update(self, error: float) -> Change | None:
        """Take one error; the change if this one revealed it."""
        adwin = self._adwin
        adwin.update(error)
        if not adwin.drift_detected:
            self._total += error
            self._width += 1
            return None
        before, width = self._total / max(self._width, 1), self._width
        self._total, self._width = 0.0, 0  # River drops all of its window with the next error
        return Change(before, adwin.estimation, width, adwin.width)
