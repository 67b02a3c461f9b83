"""Oscillation: a loss that goes up and down from one record to the next, as it does when a model learns too fast."""

from math import sqrt
from typing import ClassVar

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series
from headrace.learning.parameters import Positive, Window
from headrace.learning.tags import tagged


@tagged("oscillation/1")
class Oscillation:
    """Signals when the values of a window oscillate: each tends to lie on the other side of their mean than the one before it.

    The statistic is the autocorrelation at lag 1 of each window. Without oscillation it is near 0, with a standard deviation of one over
    the root of the window; it is positive where the mean drifts. The detector signals at the end of each window in which it is negative by
    more than `z` standard deviations, so it signals again while the oscillation lasts. The means are those of the window before and of this
    one. They tell no direction: an oscillation is never an improvement. It is the detector for the reaction `calm`.

    Parameters
    ----------
    window
        The number of values in a window. The windows do not overlap, and none is kept: the state is eight numbers.
    z
        The number of standard deviations that counts as oscillation: 4 gives about one false alarm in 30,000 windows.

    Examples
    --------
    >>> detector = Oscillation(window=100)
    >>> for at in range(400):
    ...     change = detector.update(at % 10 / 10 if at < 200 else at % 2)
    ...     if change:
    ...         print(at, round(change.statistic, 2), round(change.threshold, 2))
    299 -0.99 -0.4
    399 -0.99 -0.4

    References
    ----------
    Bartlett, "On the theoretical specification and sampling properties of autocorrelated time-series", JRSS supplement 8 (1), 1946.
    """

    name: ClassVar[str] = "oscillation"
    takes: ClassVar[frozenset[Series]] = frozenset({"shares", "errors", "numbers"})

    def __init__(self, window: Window = 500, z: Positive = 4.0):
        self.window = window
        self.z = z
        self._before = 0.0  # the mean of the window before
        self._width_before = 0
        self._restart()

    def _restart(self) -> None:
        self._count = 0
        self._first = (
            0.0  # the values are summed relative to the first, which keeps large values with a small variance exact
        )
        self._last = 0.0
        self._sum = 0.0
        self._squares = 0.0
        self._products = 0.0

    def update(self, value: float, /) -> Change | None:
        """Add one value; return the change if this value ends a window that oscillates."""
        if not self._count:
            self._first = float(value)
        step = value - self._first
        self._count += 1
        self._sum += step
        self._squares += step * step
        self._products += step * self._last
        self._last = step
        if self._count < self.window:
            return None
        return self._end()

    def _end(self) -> Change | None:
        """End a window."""
        count, mean = self.window, self._sum / self.window
        variance = self._squares - count * mean * mean
        covariance = self._products - mean * (2 * self._sum - self._last) + (count - 1) * mean * mean
        before, width_before, after = self._before, self._width_before, self._first + mean
        is_constant = variance <= 1e-9 * self._squares  # what is left is a rounding error
        self._before, self._width_before = after, count
        self._restart()
        if is_constant or not covariance / variance < (threshold := -self.z / sqrt(count)):
            return None
        return Change(
            before if width_before else after,
            after,
            width_before,
            count,
            covariance / variance,
            threshold,
            is_oscillation=True,
        )
