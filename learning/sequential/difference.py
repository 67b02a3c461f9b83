"""The mean difference of two losses, with bounds that hold at all times and a verdict."""

from math import exp, lgamma, log, log1p
from typing import Literal

from headrace.learning.tags import tagged

Verdict = Literal["a_better", "b_better", "equivalent", "continue", "budget_exhausted"]
"""Which of two arms is better, if that is known already."""

RANGE = 2.0
"""The width of the interval [-1, 1] in which differences lie."""

TIGHTEST = 100.0
"""The sum of squared deviations at which the bounds are tightest: about 1,000 records if one arm alone errs in a tenth of them."""


@tagged("difference/1")
class Difference:
    """A confidence sequence for the mean difference of two losses in pairs, each difference in [-1, 1].

    The mean is the average, over the records so far, of each difference's mean given those before it: it may change all the time. With a
    chance of at least 1 - `alpha` it lies between the bounds after every record, so one may look after every record and stop when one
    likes. The bounds narrow with the sum of squared deviations of each difference from the mean of those before it: two arms that nearly
    always agree are told apart or called equivalent early.

    Parameters
    ----------
    alpha
        The chance that the mean is ever outside the bounds, 0 to 1.

    Attributes
    ----------
    count
        Number of differences.

    Examples
    --------
    >>> difference = Difference(alpha=0.05)
    >>> for at in range(2_000):
    ...     a_errs, b_errs = at % 10 == 0, at % 5 == 0
    ...     difference.update(float(a_errs) - float(b_errs))
    >>> low, high = difference.bounds()
    >>> round(low, 3), round(high, 3), difference.verdict(margin=0.01, budget=10_000)
    (-0.124, -0.076, 'a_better')

    References
    ----------
    Choe and Ramdas, "Comparing sequential forecasters", Operations Research 2023, theorem 2; the gamma-exponential mixture of Howard,
    Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021,
    proposition 9 and theorem 4.
    """

    def __init__(self, alpha: float = 0.05):
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha is {alpha}: it must be between 0 and 1")
        self.alpha = alpha
        self.count = 0
        self._total, self._squares = 0.0, 0.0
        self._limit = log(2.0 / alpha)
        # The mixing density that is best at TIGHTEST. It is fixed beforehand, so that the bounds hold at every time.
        surprise = max(log(1.0 / alpha), 0.1)
        self._prior = max(TIGHTEST / (2.0 * surprise + log1p(2.0 * surprise)) / RANGE**2, 1.0)
        self._constant = self._prior * log(self._prior) - lgamma(self._prior) - log(_gamma_p(self._prior, self._prior))

    def update(self, difference: float, /) -> None:
        """Add the loss of arm A less that of arm B on one record."""
        deviation = difference - self._total / self.count if self.count else difference
        self._squares += deviation * deviation
        self._total += difference
        self.count += 1

    def bounds(self) -> tuple[float, float]:
        """Return the lower and the upper bound of the mean difference; they are -1 and 1 at first."""
        if not self.count:
            return -1.0, 1.0
        low, high = 0.0, RANGE * self.count
        if self._excludes(high):
            # The search ends outside the bound. Fifty halvings leave nothing of the interval but rounding.
            for _ in range(50):
                middle = 0.5 * (low + high)
                if self._excludes(middle):
                    high = middle
                else:
                    low = middle
        mean, radius = self._total / self.count, high / self.count
        return max(mean - radius, -1.0), min(mean + radius, 1.0)

    def verdict(self, margin: float, budget: int) -> Verdict:
        """Return what the bounds say. It costs much less than the bounds themselves.

        Parameters
        ----------
        margin
            The mean difference below which it does not matter which arm is better, 0 to 1. With 0 no two arms are equivalent.
        budget
            The number of records after which the comparison ends, whether an arm is better or not.

        Returns
        -------
        `a_better` or `b_better` if the bounds lie beyond the margin on that side; `equivalent` if they lie within the margin on both
        sides; else `budget_exhausted` from the record `budget` on, and `continue` before it.
        """
        slack = margin * self.count
        if self._excludes(-slack - self._total):
            return "a_better"
        if self._excludes(self._total - slack):
            return "b_better"
        if self._excludes(slack - self._total) and self._excludes(slack + self._total):
            return "equivalent"
        return "budget_exhausted" if self.count >= budget else "continue"

    def _excludes(self, excess: float) -> bool:
        """Whether the sum cannot be off its mean by so much: the mixture supermartingale has reached 2 / alpha."""
        if excess <= 0.0:
            return False
        # x^a e^-x / (x - a + 1) is above the upper incomplete gamma function for a >= 1 and x > a - 1, and close to it where it is small.
        # So the mixture is a little too small, and the bounds are a little too wide, but by less than 1 in 10,000.
        shape = self._squares / RANGE**2 + self._prior
        at = shape + excess / RANGE
        log_power = shape * log(at) - at
        log_tail = log_power - lgamma(shape) - log(at - shape + 1.0)
        if log_tail >= 0.0:
            return False
        inside = -log_power - self._prior + lgamma(shape) + log1p(-exp(log_tail))
        return self._constant + inside >= self._limit


def _gamma_p(shape: float, at: float) -> float:
    """The regularised lower incomplete gamma function, by its series."""
    term = total = 1.0 / shape
    for number in range(1, 100_000):
        term *= at / (shape + number)
        total += term
        if term < total * 1e-17:
            break
    return total * exp(shape * log(at) - at - lgamma(shape))
