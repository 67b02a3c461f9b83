"""ADWIN: drift detection with a window that shrinks when its older and newer parts differ."""

from collections.abc import Sequence
from typing import ClassVar

from river.drift import ADWIN

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series
from headrace.learning.parameters import Level
from headrace.learning.tags import tagged


@tagged("adwin/1")
class Adwin:
    """Signals when the mean error of the recent part of its window differs from that of the older part.

    It also signals when the error falls: compare `before` and `after`. On a detection River drops the older part of the window, and with
    the next error the rest, so both means are read at the moment of detection.

    Parameters
    ----------
    delta
        The significance level, 0 to 1: a smaller value gives fewer false alarms and later detections.

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

    name: ClassVar[str] = "adwin"
    takes: ClassVar[frozenset[Series]] = frozenset({"shares", "errors", "numbers"})

    def __init__(self, delta: Level = 0.002):
        self.delta = delta
        self._adwin = ADWIN(delta=delta)
        # A copy of the total and width of River's window: reading them before every update costs more than the update.
        self._total, self._width = 0.0, 0

    def update(self, error: float, /) -> Change | None:
        """Add one error; return the change if this error revealed one."""
        adwin = self._adwin
        adwin.update(error)
        if not adwin.drift_detected:
            self._total += error
            self._width += 1
            return None
        return self._change()

    def update_many(self, errors: Sequence[float]) -> tuple[int, Change | None]:
        """Add errors until one reveals a change; return how many were added, and the change."""
        adwin, total = self._adwin, self._total
        if adwin.drift_detected:
            return 1, self.update(errors[0])
        add = adwin._helper.update  # noqa: SLF001 what River's own update calls, in a fifth of its time
        for count, error in enumerate(errors, 1):
            if add(error):
                adwin._drift_detected = True  # noqa: SLF001
                self._total, self._width = total, self._width + count - 1
                return count, self._change()
            total += error
        self._total, self._width = total, self._width + len(errors)
        return len(errors), None

    def _change(self) -> Change:
        """Describe the change that the last error has revealed."""
        before, width = self._total / max(self._width, 1), self._width
        self._total, self._width = 0.0, 0  # River drops its whole window with the next error
        return Change(before, self._adwin.estimation, width, int(self._adwin.width))
