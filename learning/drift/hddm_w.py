"""HDDM-W: drift detection by McDiarmid's bound on the difference of two weighted means."""

from typing import ClassVar

from river.drift.binary import HDDMW

from headrace.learning.drift.change import Change
from headrace.learning.drift.warning import WarningDetector
from headrace.learning.parameters import Level
from headrace.learning.tags import tagged


@tagged("hddm_w/1")
class HddmW(WarningDetector):
    """Signals when the weighted mean of the latest errors exceeds that of the errors before them by more than McDiarmid's bound.

    It takes errors of classes only, 0 or 1. Newer errors weigh more, so it is for gradual changes; `hddm_a` is for abrupt ones. It signals
    only rises, unless `two_sided_test` is on: compare `before` and `after` then. Both are weighted means; the widths count the errors that
    they are made of.

    Parameters
    ----------
    drift_confidence
        The significance level that counts as a change: a smaller value gives fewer false alarms and later detections.
    warning_confidence
        The significance level that gives a warning; larger than `drift_confidence`.
    lambda_val
        The weight of the newest error in a mean.
    two_sided_test
        Whether to signal falls too.

    Examples
    --------
    >>> detector = HddmW()
    >>> for at in range(2000):
    ...     change = detector.update(float(at % 10 == 0 if at < 1000 else at % 2))
    ...     if change:
    ...         print(at, round(change.before, 2), round(change.after, 2), change.is_warning)
    1025 0.07 0.66 True
    1027 0.07 0.64 True
    1035 0.07 0.6 False

    References
    ----------
    Frias-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds", IEEE TKDE 27 (3), 2015;
    `river.drift.binary.HDDMW`.
    """

    name: ClassVar[str] = "hddm_w"
    _river: HDDMW

    def __init__(
        self,
        drift_confidence: Level = 0.001,
        warning_confidence: Level = 0.005,
        lambda_val: Level = 0.05,
        two_sided_test: bool = False,
    ):
        super().__init__(HDDMW(drift_confidence, warning_confidence, lambda_val, two_sided_test))
        self.drift_confidence = drift_confidence
        self.warning_confidence = warning_confidence
        self.lambda_val = lambda_val
        self.two_sided_test = two_sided_test
        self._restart()

    def _restart(self) -> None:
        # Errors since the last detection, and how many of them are before the two places where a change may lie.
        self._count = 0
        self._rise_from = 0
        self._fall_from = 0

    def _follow(self) -> None:
        self._count += 1
        if not self._river._s2_incr.is_init:  # noqa: SLF001 River has just moved the place here
            self._rise_from = self._count
        if not self._river._s2_decr.is_init:  # noqa: SLF001
            self._fall_from = self._count

    def _describe(self, *, is_warning: bool) -> Change:
        river, confidence = self._river, self.warning_confidence if is_warning else self.drift_confidence
        if river._detect_mean_incr(confidence):  # noqa: SLF001
            older, newer, count = river._s1_incr, river._s2_incr, self._rise_from  # noqa: SLF001
        else:
            older, newer, count = river._s1_decr, river._s2_decr, self._fall_from  # noqa: SLF001
        before, after = older.ewma, newer.ewma
        bound = river._mcdiarmid_bound(older.ibc + newer.ibc, confidence)  # noqa: SLF001
        return Change(before, after, count, self._count - count, abs(after - before), bound, is_warning)
