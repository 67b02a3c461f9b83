"""DDM: drift detection by the rise of an error rate over its lowest level."""

from math import sqrt
from typing import ClassVar

from river.drift.binary import DDM

from headrace.learning.drift.change import Change
from headrace.learning.drift.warning import WarningDetector
from headrace.learning.parameters import Count, Positive
from headrace.learning.tags import tagged


@tagged("ddm/1")
class Ddm(WarningDetector):
    """Signals when the error rate has risen by so many standard deviations over its lowest level since the last detection.

    It takes errors of classes only, 0 or 1, and signals only rises. The rate is a mean of all errors since the last detection, so a change
    after a long quiet time is seen late. A model without any error in the first `warm_start` records makes it signal at its first error.
    The change is placed where the rate was lowest.

    Parameters
    ----------
    warm_start
        The number of errors before the first signal.
    warning_threshold
        The number of standard deviations that gives a warning.
    drift_threshold
        The number of standard deviations that counts as a change.

    Examples
    --------
    >>> detector = Ddm()
    >>> for at in range(2000):
    ...     change = detector.update(float(at % 10 == 0 if at < 1000 else at % 2))
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2), change.is_warning)
    1023 0.1 0.52 True
    1049 0.1 0.51 False

    References
    ----------
    Gama, Medas, Castillo and Rodrigues, "Learning with drift detection", SBIA 2004; `river.drift.binary.DDM`.
    """

    name: ClassVar[str] = "ddm"
    _river: DDM

    def __init__(self, warm_start: Count = 30, warning_threshold: Positive = 2.0, drift_threshold: Positive = 3.0):
        super().__init__(DDM(warm_start, warning_threshold, drift_threshold))
        self.warm_start = warm_start
        self.warning_threshold = warning_threshold
        self.drift_threshold = drift_threshold
        self._lowest_count = 0  # the number of errors when the rate was lowest

    def _follow(self) -> None:
        rate = self._river._p  # noqa: SLF001
        if rate.get() == self._river._p_min:  # noqa: SLF001 River has just set it: an equal rate of more errors is lower yet
            self._lowest_count = int(rate.n)

    def _restart(self) -> None:
        self._lowest_count = 0

    def _describe(self, *, is_warning: bool) -> Change:
        river = self._river
        rate, lowest, deviation = river._p, river._p_min or 0.0, river._s_min or 0.0  # noqa: SLF001
        count, mean = int(rate.n), rate.get()
        width = max(count - self._lowest_count, 1)
        after = (mean * count - lowest * self._lowest_count) / width
        statistic = mean + sqrt(mean * (1 - mean) / count)
        threshold = lowest + (self.warning_threshold if is_warning else self.drift_threshold) * deviation
        return Change(lowest, after, self._lowest_count, width, statistic, threshold, is_warning)
