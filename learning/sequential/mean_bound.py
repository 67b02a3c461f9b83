"""Bounds of a mean that hold at all times."""

from math import inf, log, log1p, sqrt

from headrace.learning.tags import tagged

LARGEST_WEIGHT = 0.5
"""The truncation of the weights, which Waudby-Smith and Ramdas recommend: half of the values at which the bound becomes infinite."""


@tagged("mean-bound/1")
class MeanBound:
    """A lower and an upper bound of the mean of values in [0, 1], which may be read after every value.

    With a chance of at least 1 - `alpha` the upper bound is above the mean after every value, not only after one; likewise the lower
    bound. Each value must have the same mean, given those before it. The values may otherwise depend on each other, and their variance
    may change. The bounds are empirical-Bernstein: they narrow faster where the values vary little.

    Parameters
    ----------
    alpha
        The chance that the upper bound is ever wrong, 0 to 1, and that the lower bound is.

    Attributes
    ----------
    count
        Number of values.

    Examples
    --------
    >>> bound = MeanBound(alpha=0.01)
    >>> for at in range(10_000):
    ...     bound.update(float(at % 10 == 0))
    >>> round(bound.lower, 3), round(bound.upper, 3)
    (0.086, 0.115)

    References
    ----------
    Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 2024, theorem 2 (the predictable plug-in
    empirical-Bernstein confidence sequence); Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
    sequences", Annals of Statistics 2021.
    """

    def __init__(self, alpha: float = 0.01):
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha is {alpha}: it must be between 0 and 1")
        self.alpha = alpha
        self.count = 0
        # One value of 1/2 with variance 1/4 stands before the first value, as in the paper.
        self._total, self._squares = 0.5, 0.25
        self._weight, self._weighted, self._variance = 0.0, 0.0, 0.0

    def update(self, value: float, /) -> None:
        """Add one value between 0 and 1."""
        seen = self.count + 1
        mean = self._total / seen
        weight = min(sqrt(-2.0 * log(self.alpha) / (self._squares * log1p(seen))), LARGEST_WEIGHT)
        self._weight += weight
        self._weighted += weight * value
        self._variance += (value - mean) ** 2 * (-log1p(-weight) - weight)
        self.count = seen
        self._total += value
        self._squares += (value - self._total / (seen + 1)) ** 2

    @property
    def upper(self) -> float:
        """The upper bound, at most 1."""
        return min(self._centre() + self._radius(), 1.0)

    @property
    def lower(self) -> float:
        """The lower bound, at least 0."""
        return max(self._centre() - self._radius(), 0.0)

    def _centre(self) -> float:
        return self._weighted / self._weight if self.count else 0.5

    def _radius(self) -> float:
        return (self._variance - log(self.alpha)) / self._weight if self.count else inf
