"""Page-Hinkley: drift detection with a cumulative sum of deviations from the mean."""

from typing import ClassVar, Literal

from river.drift import PageHinkley as RiverPageHinkley

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series, Weight
from headrace.learning.parameters import Count, NotNegative, Positive, PositiveShare
from headrace.learning.tags import tagged


@tagged("page_hinkley/1")
class PageHinkley:
    """Signals when the deviations from the running mean have added up to more than a threshold since their lowest or highest sum.

    It is the cheapest detector, and finds slow changes. Its threshold is a sum in the unit of the watched values, so it must be chosen for
    the series: 50 is 50 errors more than expected. With `mode = "both"` it also signals when the values fall: compare `before` and `after`.
    The change is placed where the sum was lowest or highest. All is learned anew after a detection.

    Parameters
    ----------
    min_instances
        The number of values before the first signal.
    delta
        The deviation of each value that is tolerated.
    threshold
        The sum of deviations that counts as a change.
    alpha
        The factor by which the sums fade with each value.
    mode
        `up` to signal rises, `down` to signal falls, `both` for either.

    Examples
    --------
    >>> detector = PageHinkley()
    >>> for at in range(2000):
    ...     change = detector.update(0.1 if at < 1000 else 0.6)
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2), change.width)
    ...         break
    1106 0.1 0.6 107

    References
    ----------
    Page, "Continuous inspection schemes", Biometrika 41, 1954; `river.drift.PageHinkley`.
    """

    name: ClassVar[str] = "page_hinkley"
    takes: ClassVar[frozenset[Series]] = frozenset({"shares", "errors", "numbers"})

    def __init__(
        self,
        min_instances: Count = 30,
        delta: NotNegative = 0.005,
        threshold: Positive = 50.0,
        alpha: PositiveShare = 0.9999,
        mode: Literal["up", "down", "both"] = "both",
    ):
        self.min_instances = min_instances
        self.delta = delta
        self.threshold = threshold
        self.alpha = alpha
        self.mode = mode
        self._river = RiverPageHinkley(min_instances, delta, threshold, alpha, mode)
        # The count and the mean when the sum was lowest, from where a rise is measured, and when it was highest.
        self._low_count, self._low_mean = 0, 0.0
        self._high_count, self._high_mean = 0, 0.0

    def update(self, value: float, /) -> Change | None:
        """Add one value; return the change if this value revealed one."""
        river = self._river
        river.update(value)
        mean = river._x_mean  # noqa: SLF001 the test statistics of River have no public names
        rise, fall = river._sum_increase - river._min_increase, river._max_decrease - river._sum_decrease  # noqa: SLF001
        if not rise:
            self._low_count, self._low_mean = int(mean.n), mean.get()
        if not fall:
            self._high_count, self._high_mean = int(mean.n), mean.get()
        if not river.drift_detected:
            return None
        is_rise = self.mode != "down" and rise > self.threshold
        statistic, count, before = (
            (rise, self._low_count, self._low_mean) if is_rise else (fall, self._high_count, self._high_mean)
        )
        width = int(mean.n) - count
        after = (mean.get() * mean.n - before * count) / width
        return Change(before, after, count, width, statistic, self.threshold)

    def weigh(self) -> Weight | None:
        """Return how far the sum is from its lowest or highest value, where `mode` looks; None before the first test."""
        river = self._river
        if river._x_mean.n < self.min_instances:  # noqa: SLF001
            return None
        rise, fall = river._sum_increase - river._min_increase, river._max_decrease - river._sum_decrease  # noqa: SLF001
        return Weight({"up": rise, "down": fall, "both": max(rise, fall)}[self.mode], self.threshold)
