"""Drift by evidence: a detector whose mean number of records between false alarms is chosen."""

from typing import Annotated, ClassVar

from msgspec import Meta

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series, Weight
from headrace.learning.parameters import NotNegative
from headrace.learning.sequential import EDetector, SettledMean
from headrace.learning.tags import tagged

ALPHA = 0.01
"""The chance that the reference is ever below the mean of a steady error. The threshold is larger by 1 / (1 - ALPHA) to make up for it."""

BLOCK = 500
"""Records in the shortest blocks of the reference, and records that fix the scale. No alarm comes before them."""

SCALE = 4.0
"""The largest error of a regression that counts in full, in mean errors. Of errors with a normal distribution 1 in 700 is larger."""

LEAST = 1e-300
"""The least scale: a mean error that rounds to 0 must not divide."""

SUSPICIOUS = 0.1
"""The share of the threshold at which the detector warns: a false warning comes at most ten times as often as a false alarm."""


@tagged("evidence/1")
class Evidence:
    """Signals when the mean error has risen above the lowest mean that it has settled at. It never signals when the error falls.

    An e-detector (`learning/sequential/e_detector.py`) tests the null hypothesis that the mean error is at most the reference. The
    reference is the larger of two values: an upper confidence bound of the lowest mean of any block of 500, 1,000, 2,000 ... records
    (`learning/sequential/settled_mean.py`), and the mean of that block plus the relative `rise`. It follows an error that falls while a
    model learns, narrows while the error stays, and is not raised by a later error, so a decline cannot hide in it, however slow it is.

    While the error is steady (each error has the same mean, given those before it), a false alarm comes on average at least `between`
    records after the one before. The chance of a false alarm within T records is at most T / `between` + 0.01: the 0.01 is the chance
    that the reference is below the mean, and the threshold is `between` / 0.99 for its sake. Errors that a season raises by more than
    `rise` above their lowest mean are no false alarm in this sense.

    The price of an estimated reference is that small rises are seen only after much experience. With a mean error of 0.1, a rise by half
    needs about 1,000 steady records before it, and a rise by a quarter about 4,000. `benchmarks/evidence.py` measures both the false
    alarms and the delays.

    If all of the first 500 errors are 0 or 1, the scale is 1. Otherwise the scale is four times their mean. Errors are divided by the
    scale, and what is larger than 1 counts as 1: so the errors of regressions are clipped, and the mean that is watched is that of the
    clipped errors. After an alarm scale and reference are learned anew.

    A warning comes when the statistic reaches a tenth of the threshold, at most once between two alarms.

    Parameters
    ----------
    between
        The mean number of records between false alarms, at least 1.
    rise
        The relative rise above the mean that the error has settled at which is no drift: 0.1 is ten per cent.

    Examples
    --------
    >>> detector = Evidence(between=100_000)
    >>> for at in range(20_000):
    ...     change = detector.update(float(at % (10 if at < 10_000 else 5) == 0))
    ...     if change and not change.is_warning:
    ...         print(at, round(change.before, 2), round(change.after, 2), change.width)
    ...         break
    10300 0.1 0.2 301

    References
    ----------
    Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2022; Shekhar and Ramdas,
    "Reducing sequential change detection to sequential estimation", ICML 2024. The threshold: if the reference holds until the alarm with
    chance 1 - a, then the expected statistic at the alarm is at least (1 - a) times the threshold and at most the expected number of
    records.
    """

    name: ClassVar[str] = "evidence"
    takes: ClassVar[frozenset[Series]] = frozenset({"shares", "errors"})

    def __init__(self, between: Annotated[int, Meta(ge=1, le=10**12)] = 100_000, rise: NotNegative = 0.1):
        self.between = between
        self.rise = rise
        self._start()

    def _start(self) -> None:
        """Learn scale and reference anew."""
        self._scale = 0.0  # 0 until it is known
        self._total, self._left, self._are_shares = 0.0, BLOCK, True  # of the block that is not complete yet
        self._settled = SettledMean(BLOCK, ALPHA)
        self._evidence = EDetector(1.0, self.between / (1.0 - ALPHA))
        self._suspicious = SUSPICIOUS * self._evidence.threshold
        self._is_testing, self._has_warned = False, False

    def weigh(self) -> Weight:
        """Return the evidence so far; 0 while scale and reference are learned."""
        return Weight(self._evidence.statistic, self._evidence.threshold)

    def update(self, error: float, /) -> Change | None:
        """Add one error, at least 0; return the change if this error revealed one, or a warning of one."""
        scale = self._scale
        if not scale:
            self._measure(error)
            return None
        value = error / scale
        if not value <= 1.0:
            value = 1.0
        change = None
        if self._is_testing:
            evidence = self._evidence
            is_alarm = evidence.update(value)
            # Near the null hypothesis the evidence may also reach the threshold by mere number, with no rise to show: that is no alarm.
            if evidence.statistic >= self._suspicious and (is_alarm or not self._has_warned) and evidence.since:
                change = self._change(is_warning=not is_alarm)
                if is_alarm:
                    self._start()
                    return change
                self._has_warned = True
        self._total += value
        self._left -= 1
        if not self._left:
            self._end_block()
        return change

    def _measure(self, error: float) -> None:
        """Add one of the first errors, which fix the scale. Where they are all 0 or 1 they are the first block too."""
        self._total += error
        self._left -= 1
        self._are_shares = self._are_shares and error in {0.0, 1.0}
        if self._left:
            return
        if self._are_shares:
            self._scale = 1.0
            self._end_block()
        else:
            self._scale = max(SCALE * self._total / BLOCK, LEAST)
            self._total, self._left = 0.0, BLOCK

    def _end_block(self) -> None:
        """Add a block to the reference."""
        if self._settled.add(self._total):
            self._lower_reference()
        self._total, self._left = 0.0, BLOCK

    def _lower_reference(self) -> None:
        """Test against the new reference. The evidence so far stays: it was against a higher one."""
        mean = max(self._settled.upper, (1.0 + self.rise) * self._settled.mean)
        if mean < 1.0:
            self._evidence.expect(mean)
            self._is_testing = True

    def _change(self, *, is_warning: bool) -> Change:
        settled, evidence, scale = self._settled, self._evidence, self._scale
        after = evidence.mean_since or 0.0
        return Change(
            settled.mean * scale,
            after * scale,
            settled.width,
            evidence.since,
            evidence.statistic,
            evidence.threshold,
            is_warning,
        )
