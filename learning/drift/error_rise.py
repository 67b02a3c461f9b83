"""Drift by a relative rise of the error: the classic test of one window against the best window before it."""

from collections import deque
from math import fsum
from typing import ClassVar

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series
from headrace.learning.parameters import Positive, Window
from headrace.learning.tags import tagged


@tagged("error_rise/1", _errors=list[float], _lowest=float | None, _latest=float | None)
class ErrorRise:
    """Signals when the mean error of the last window exceeds, by a given fraction, the lowest mean of any full window before it.

    The errors since the last detection are cut into windows that do not overlap. The reference is the lowest of their means, without the
    windows that overlap the last one. So a slow decline of the model cannot drag the reference along, and the errors of a drift cannot
    raise it. It signals only rises, and warns once at half of the rise. After a detection all is learned anew. Nothing is signalled before
    two windows are full.

    The rule knows nothing of noise. The mean of 1,000 errors of classes at a rate of 0.1 has a standard deviation of 9.5 % of itself, and
    the lowest of many such means lies well below the true rate, so that a rise of 10 % is soon seen where there is none. Take a window so
    long that the noise is small against the rise: 100,000 errors at a rate of 0.1, or a larger rise. After a window without any error the
    next error is a rise.

    Parameters
    ----------
    window
        The number of errors in a window.
    rise
        The relative rise over the reference that counts as a change: 0.1 is ten per cent.

    Examples
    --------
    >>> detector = ErrorRise(window=100, rise=0.1)
    >>> for at in range(400):
    ...     change = detector.update(0.1 if at < 200 else 0.3)
    ...     if change:
    ...         print(at, round(change.before, 3), round(change.after, 3), change.is_warning)
    ...         if not change.is_warning:
    ...             break
    202 0.1 0.106 True
    205 0.1 0.112 False
    """

    name: ClassVar[str] = "error_rise"
    takes: ClassVar[frozenset[Series]] = frozenset({"shares", "errors"})

    def __init__(self, window: Window = 1_000, rise: Positive = 0.1):
        self.window = window
        self.rise = rise
        self._errors: deque[float] = deque(maxlen=window)
        self._restart()

    def _restart(self) -> None:
        self._errors.clear()
        self._total = 0.0
        self._count = 0  # errors since the last detection
        self._lowest: float | None = None  # the reference
        self._latest: float | None = None  # the mean of the latest full window, which still overlaps the last errors
        self._has_warned = False

    def update(self, error: float, /) -> Change | None:
        """Add one error; return the change if this error revealed one, or a warning of one."""
        errors = self._errors
        self._total += error - (errors[0] if len(errors) == self.window else 0.0)
        errors.append(error)
        self._count += 1
        is_full = self._count % self.window == 0
        if is_full:
            self._total = fsum(errors)  # the running total gathers rounding errors
            if self._latest is not None:
                self._lowest = self._latest if self._lowest is None else min(self._lowest, self._latest)
            self._latest = self._total / self.window
        if self._lowest is None:
            return None
        return self._compare(self._lowest, self._total / self.window)

    def _compare(self, reference: float, mean: float) -> Change | None:
        step = self.rise * abs(reference)
        if mean <= reference + step / 2:
            self._has_warned = False
            return None
        if mean > reference + step:
            self._restart()
            return Change(reference, mean, self.window, self.window, mean, reference + step)
        if self._has_warned:
            return None
        self._has_warned = True
        return Change(reference, mean, self.window, self.window, mean, reference + step / 2, is_warning=True)
