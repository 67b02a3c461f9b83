"""HDDM-A: drift detection by Hoeffding's bound on the difference of two means."""

from math import log, sqrt
from typing import ClassVar

from river.drift.binary import HDDMA

from headrace.learning.drift.change import Change
from headrace.learning.drift.warning import WarningDetector
from headrace.learning.parameters import Level
from headrace.learning.tags import tagged


@tagged("hddm_a/1")
class HddmA(WarningDetector):
    """Signals when the mean error since the last detection exceeds that of its best beginning by more than Hoeffding's bound.

    It takes errors of classes only, 0 or 1. It is for abrupt changes; `hddm_w` is for gradual ones. It signals only rises, unless
    `two_sided_test` is on: compare `before` and `after` then.

    Parameters
    ----------
    drift_confidence
        The significance level that counts as a change: a smaller value gives fewer false alarms and later detections.
    warning_confidence
        The significance level that gives a warning; larger than `drift_confidence`.
    two_sided_test
        Whether to signal falls too.

    Examples
    --------
    >>> detector = HddmA()
    >>> for at in range(2000):
    ...     change = detector.update(float(at % 10 == 0 if at < 1000 else at % 2))
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2), change.is_warning)
    1017 0.1 0.53 True
    1019 0.1 0.53 True
    1023 0.1 0.52 False

    References
    ----------
    Frias-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds", IEEE TKDE 27 (3), 2015;
    `river.drift.binary.HDDMA`.
    """

    name: ClassVar[str] = "hddm_a"
    _river: HDDMA

    def __init__(
        self, drift_confidence: Level = 0.001, warning_confidence: Level = 0.005, two_sided_test: bool = False
    ):
        super().__init__(HDDMA(drift_confidence, warning_confidence, two_sided_test))
        self.drift_confidence = drift_confidence
        self.warning_confidence = warning_confidence
        self.two_sided_test = two_sided_test

    def _describe(self, *, is_warning: bool) -> Change:
        river, confidence = self._river, self.warning_confidence if is_warning else self.drift_confidence
        cut, total = river._x_min if river._mean_incr(confidence) else river._x_max, river._z  # noqa: SLF001
        before, mean, count, every = cut.get(), total.get(), int(cut.n), int(total.n)
        after = (mean * every - before * count) / (every - count)
        bound = sqrt((every - count) / count / every / 2 * log(2 / confidence))
        return Change(before, after, count, every - count, abs(mean - before), bound, is_warning)
