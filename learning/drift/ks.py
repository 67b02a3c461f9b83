"""KS: drift of a number's distribution, by the test of Kolmogorov and Smirnov on two windows."""

from math import log, sqrt
from statistics import fmean
from typing import Any, ClassVar

import numpy as np

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series, Weight
from headrace.learning.drift.two_windows import TwoWindows
from headrace.learning.parameters import Count, Level, Window
from headrace.learning.tags import tagged


@tagged("ks/1", _values=list[float], _reference=list[float])
class Ks(TwoWindows):
    """Signals when the distribution of a number in a window differs from that in the reference window, in its mean, spread or shape.

    The reference is the first window, and the first one after each detection. The following windows do not overlap, and each is tested
    once. The statistic is the greatest difference of the two cumulative distributions, 0 to 1. The threshold is its asymptotic bound at
    the level `alpha` / `among`, which is on the safe side for few values and for equal ones. `before` and `after` are the means of the
    windows, which may be equal.

    Parameters
    ----------
    window
        The number of values in a window. The state holds two windows.
    alpha
        The chance of a false alarm in one window, for all features together.
    among
        The number of features that are tested.

    Examples
    --------
    >>> detector = Ks(window=100)
    >>> for at in range(1000):
    ...     change = detector.update((at * 7 % 100) / 100 + (at >= 600) / 2)
    ...     if change:
    ...         print(at, round(change.before, 3), round(change.after, 3), change.statistic, round(change.threshold, 3))
    699 0.495 0.995 0.51 0.276

    References
    ----------
    Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical Statistics 19 (2), 1948.
    """

    name: ClassVar[str] = "ks"
    takes: ClassVar[frozenset[Series]] = frozenset({"errors", "numbers"})

    def __init__(self, window: Window = 1_000, alpha: Level = 0.001, among: Count = 1):
        super().__init__(window, alpha, among)
        self._reference: list[float] = []  # sorted

    def update(self, value: float, /) -> Change | None:
        """Add one value; return the change if this value ends a window that differs from the reference."""
        return self._add(float(value))

    def _learn(self, values: list[Any]) -> None:
        self._reference = sorted(values)

    def _compare(self, values: list[Any]) -> Weight:
        before, after = np.array(self._reference), np.array(sorted(values))
        both = np.concatenate([before, after])
        ranks = before.searchsorted(both, "right") * len(after) - after.searchsorted(both, "right") * len(before)
        statistic = int(abs(ranks).max()) / (len(before) * len(after))
        # The chance of a statistic D with n values in each window is at most 2 exp(-n D^2).
        return Weight(statistic, sqrt(log(2 / self.level) / self._paired(values)))

    def _describe(self, values: list[Any]) -> tuple[float, float]:
        return fmean(self._reference), fmean(values)
