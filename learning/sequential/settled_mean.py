"""The lowest mean that a series has settled at, with an upper bound."""

from math import inf, log, log1p, pi

from headrace.learning.tags import tagged

BASEL = pi**2 / 6.0
"""The sum of 1/n² over all n: shares of 1 / (BASEL n²) are together 1."""


@tagged("settled-mean/1", _halves=list[float])
class SettledMean:
    """An upper bound of the lowest mean that values in [0, 1] have had over a block of records.

    Values are summed in blocks of `block` records, and two neighbouring blocks of one length make one of twice the length, so there are
    blocks of `block`, twice, four times as many records and so on, which do not overlap. Each block gives an upper bound of its mean, and
    the lowest bound is kept. A short block follows a mean that falls, a long one narrows the bound of a mean that stays. No later value
    raises the bound, so a slow rise cannot hide in it.

    While all values have the same mean, given those before them, the bound is at no time below that mean with a chance of at least
    1 - `alpha`. For this the i-th block of length j has the share 1 / (i² j² BASEL²) of `alpha`, and its bound is that of Chernoff and
    Hoeffding: the mean at which the block's mean would be too unlikely. It is tightest for values that are 0 or 1, and wide for values
    that vary less.

    The state is one number for each length, at most 50 of them.

    Parameters
    ----------
    block
        Number of records in the shortest blocks.
    alpha
        The chance that the bound is ever below the mean.

    Attributes
    ----------
    upper
        The bound; 1 until the first block is complete.
    mean, width
        The mean of the block that gave the bound, and its number of records; 0 before there is one.

    Examples
    --------
    >>> settled = SettledMean(block=500, alpha=0.01)
    >>> falls = [settled.add(50.0) for _ in range(40)]
    >>> sum(falls), any(settled.add(100.0) for _ in range(40))
    (6, False)
    >>> round(settled.mean, 3), settled.width, round(settled.upper, 3)
    (0.1, 16000, 0.11)

    References
    ----------
    Hoeffding, "Probability inequalities for sums of bounded random variables", 1963, theorem 1; Datar, Gionis, Indyk and Motwani,
    "Maintaining stream statistics over sliding windows", 2002 (blocks of doubling lengths).
    """

    def __init__(self, block: int = 500, alpha: float = 0.01):
        if block < 1:
            raise ValueError(f"block is {block}: it must be at least 1")
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha is {alpha}: it must be between 0 and 1")
        self.block = block
        self.alpha = alpha
        self.upper, self.mean, self.width = 1.0, 0.0, 0
        self._blocks = 0
        self._halves: list[float] = []  # by length: the sum of a block that waits for its neighbour

    def add(self, total: float) -> bool:
        """Add the sum of the next `block` values, each between 0 and 1; return whether the bound has become lower."""
        upper = self.upper
        self._blocks += 1
        index, width, length = self._blocks, self.block, 0
        while True:
            self._bound(total / width, width, 2.0 * log(index * (length + 1) * BASEL) - log(self.alpha))
            if length == len(self._halves):
                self._halves.append(0.0)
            if index % 2:
                self._halves[length] = total
                return self.upper < upper
            total += self._halves[length]
            index, width, length = index // 2, width * 2, length + 1

    def _bound(self, mean: float, width: int, surprise: float) -> None:
        if mean < self.upper:
            upper = upper_mean(mean, surprise / width)
            if upper < self.upper:
                self.upper, self.mean, self.width = upper, mean, width


def upper_mean(mean: float, divergence: float) -> float:
    """Return the largest mean from which an observed mean of values in [0, 1] is no further than a Kullback-Leibler divergence.

    The mean of n such values is further than log(1/alpha) / n below their true mean with a chance of at most alpha (Hoeffding, 1963).

    Parameters
    ----------
    mean
        The observed mean, 0 to 1.
    divergence
        In nats, positive.

    Examples
    --------
    >>> round(upper_mean(0.1, 5 / 1000), 4)
    0.1326
    """
    if mean >= 1.0:
        return 1.0
    low, high = mean, 1.0
    # The search ends above the bound. Fifty halvings leave nothing of the interval but rounding.
    for _ in range(50):
        middle = 0.5 * (low + high)
        if _divergence(mean, middle) < divergence:
            low = middle
        else:
            high = middle
    return high


def _divergence(mean: float, other: float) -> float:
    if other >= 1.0:
        return inf
    of_ones = mean * log(mean / other) if mean else 0.0
    return of_ones + (1.0 - mean) * (log1p(-mean) - log1p(-other))
