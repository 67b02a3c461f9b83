"""An e-detector: detects that a mean has risen, with a known mean number of records between false alarms."""

from headrace.learning.tags import tagged

NARROWEST = 1e-12
"""The least distance of the mean from the lowest value. With it a bet is at most 5e11, and no product can overflow."""


@tagged("e-detector/1", _evidence=tuple[float, float, float, float])
class EDetector:
    """Signals when the mean of bounded values has risen above a given mean.

    The null hypothesis is that each value, given those before it, has a mean of at most `mean`. For a bet b between 0 and
    1 / (mean - low), the factor 1 + b (value - mean) is positive, and its mean is at most 1 under the null hypothesis. Each bet has an
    evidence M, which becomes (M + 1) times the factor with each value: the Shiryaev-Roberts recursion. The statistic is the mean evidence
    of four bets. Under the null hypothesis the statistic minus the number of values is a supermartingale, whatever the dependence of the
    values. Alarms when the statistic reaches `between` therefore come on average at least `between` values apart, and the chance of an
    alarm within T values is at most T / `between`. After an alarm the evidence starts again at 0.

    The largest bet is half of 1 / (mean - low), so no factor is below a half. Each next bet is a quarter of the one before. Large bets find
    large rises soon, small bets find small ones.

    The evidence cannot overflow, so it is not kept as logarithms: while the statistic is below `between`, each M is below 4 `between`,
    and one factor is at most 1 + 5e11 (1 - low). Evidence against a rise cannot underflow for good, because each value adds 1 before the
    factor of at least a half: no M falls below a half.

    Parameters
    ----------
    mean
        The largest mean under the null hypothesis: for an error a little more than the mean error, for a difference of losses 0 or a
        margin.
    between
        The mean number of values between false alarms, at least 1: the threshold of the statistic.
    low
        The smallest value, below `mean`: 0 for an error, -1 for a difference of two losses. The largest value is 1.

    Attributes
    ----------
    statistic
        The mean evidence of the bets, since the last alarm. At an alarm it is the value that reached the threshold, until the next value.
    count
        Number of values since the last alarm, or at an alarm since the one before.
    since
        Number of values since the change probably began: the beginning from which the product of the factors of the third bet is largest
        (Page's CUSUM). It is an estimate: often some values too many or too few, and meaningless while nothing has changed. At an alarm it
        is that of the alarm.
    mean_since
        The mean of these values, or `mean` if there are none.

    Examples
    --------
    >>> detector = EDetector(mean=0.11, between=10_000)
    >>> for at in range(2_000):
    ...     if detector.update(float(at % (10 if at < 1_000 else 4) == 0)):
    ...         print(at, detector.since, round(detector.mean_since, 2), detector.statistic > detector.threshold)
    ...         break
    1088 89 0.26 True

    References
    ----------
    Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2022, New England Journal of
    Statistics in Data Science 2024; Shekhar and Ramdas, "Reducing sequential change detection to sequential estimation", ICML 2024; Page,
    "Continuous inspection schemes", Biometrika 1954 (`since`).
    """

    def __init__(self, mean: float, between: float, low: float = 0.0):
        if not between >= 1.0:
            raise ValueError(f"between is {between}: it must be at least 1")
        self.threshold = float(between)
        self.low = float(low)
        self.statistic = 0.0
        self.restart()
        self.expect(mean)

    def restart(self) -> None:
        """Forget all evidence."""
        self._alarmed, self.count = False, 0
        self._evidence = (0.0, 0.0, 0.0, 0.0)
        # For the third bet: the product of the factors since the beginning at which it is largest, and the count and the sum before it.
        self._total = 0.0
        self._product, self._begun_at, self._total_before = 1.0, 0, 0.0

    def expect(self, mean: float) -> None:
        """Change the largest mean under the null hypothesis from the next value on. The guarantee stays, if the values so far decide the mean.

        Raises
        ------
        ValueError
            The mean is not above `low` by at least 1e-12.
        """
        if not mean - self.low >= NARROWEST:
            raise ValueError(f"the mean is {mean}: it must be above {self.low}")
        self.mean = float(mean)
        self._bet = 0.5 / (mean - self.low)

    @property
    def since(self) -> int:
        """Number of values since the change probably began."""
        return self.count - self._begun_at

    @property
    def mean_since(self) -> float:
        """The mean of the last `since` values, or `mean` if there are none."""
        return (self._total - self._total_before) / self.since if self.since else self.mean

    def update(self, value: float, /) -> bool:
        """Add one value between `low` and 1, and return whether it raises an alarm. The caller keeps to these limits: they are not checked."""
        if self._alarmed:
            self.restart()
        difference = value - self.mean
        gain = self._bet * difference
        # Written out: a loop over the bets takes twice as long.
        a, b, c, d = self._evidence
        a += (a + 1.0) * gain + 1.0
        gain *= 0.25
        b += (b + 1.0) * gain + 1.0
        gain *= 0.25
        c += (c + 1.0) * gain + 1.0
        # A product since a beginning is part of its bet's evidence, so it cannot overflow either.
        product = self._product * (1.0 + gain)
        gain *= 0.25
        d += (d + 1.0) * gain + 1.0
        self._evidence = a, b, c, d
        self.statistic = statistic = (a + b + c + d) * 0.25
        self.count += 1
        self._total += value
        if product > 1.0:
            self._product = product
        else:
            self._product, self._begun_at, self._total_before = 1.0, self.count, self._total
        if statistic < self.threshold:
            return False
        self._alarmed = True
        return True
