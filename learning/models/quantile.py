"""A threshold on numbers: the score of a record is how far a number is beyond what nearly all records before had."""

from typing import Annotated, Literal

from msgspec import Meta
from river import base, stats

from headrace.learning.models.detecting import PreparedDetector
from headrace.learning.models.preparing import AsIs
from headrace.learning.parameters import Count
from headrace.learning.tags import tagged
from headrace.learning.task import Value

Quantile = Annotated[float, Meta(gt=0.5, lt=1)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]

NAMES_MAX = 10_000
"""The most features whose quantiles are kept, so that a model does not grow for ever. Later ones count for nothing."""


@tagged("spread-quantiles/1")
class Spread(base.Base):
    """The running quantiles of one number: the middle, and one on each side.

    Parameters
    ----------
    q
        The share of the numbers below the upper quantile, and above the lower one.
    """

    def __init__(self, q: float):
        self.count = 0
        self.low, self.middle, self.high = stats.Quantile(1.0 - q), stats.Quantile(0.5), stats.Quantile(q)

    def update(self, value: float) -> None:
        """Count a number."""
        self.count += 1
        for quantile in (self.low, self.middle, self.high):
            quantile.update(value)

    def score(self, value: float, side: str) -> float:
        """Return `d / (1 + d)`, where `d` is the distance from the middle in that of the quantile: 0.5 at the quantile."""
        middle = self.middle.get()
        if value == middle or (side == "low" and value > middle) or (side == "high" and value < middle):
            return 0.0
        usual = abs((self.high if value > middle else self.low).get() - middle)
        away = abs(value - middle)
        return away / (usual + away)


@tagged("beyond-quantile/1", spreads=dict[str, Spread])
class BeyondQuantile(base.AnomalyDetector):
    """Scores a record by the number that is furthest beyond its running quantile.

    Parameters
    ----------
    feature
        The number that is looked at; None for all.
    q
        The quantile.
    side
        Which numbers are strange: too high ones, too low ones, or both.
    after
        The numbers of a feature that are only counted.

    References
    ----------
    The idea is that of `river.anomaly.QuantileFilter`; the quantiles are those of `river.stats.Quantile`.
    """

    def __init__(self, feature: str | None, q: float, side: str, after: int):
        self.feature, self.q, self.side, self.after = feature, q, side, after
        self.count = 0
        self.spreads: dict[str, Spread] = {}

    def learn_one(self, x: dict[str, Value]) -> None:
        """Count the numbers of a record."""
        self.count += 1
        for name, value in x.items():
            if isinstance(value, str) or self.feature not in (None, name):
                continue
            spread = self.spreads.get(name)
            if spread is None:
                if len(self.spreads) >= NAMES_MAX:
                    continue
                spread = self.spreads[name] = Spread(self.q)
            spread.update(float(value))

    def score_one(self, x: dict[str, Value]) -> float | None:
        """Return how strange a record is, from 0 to 1; None before `after` records."""
        if self.count < self.after:
            return None
        largest = 0.0
        for name, value in x.items():
            spread = self.spreads.get(name)
            if spread is not None and spread.count >= self.after and not isinstance(value, str):
                largest = max(largest, spread.score(float(value), self.side))
        return largest


def quantile(
    feature: Name | None = None,
    q: Quantile = 0.99,
    side: Literal["both", "high", "low"] = "both",
    after: Count = 100,
) -> PreparedDetector:
    """Make a threshold on numbers that follows them: the score is 0.5 where a number is as far from the middle as its quantile is, and more beyond.

    Parameters
    ----------
    feature
        The number that is looked at. Left out: all, and the strangest one counts.
    q
        The share of the numbers that are not strange on one side, above 0.5 and below 1.
    side
        Which numbers are strange: `"high"` ones, `"low"` ones, or `"both"`.
    after
        The numbers of a feature that are only counted.

    Examples
    --------
    >>> model = quantile(feature="price")
    >>> for number in range(1_000):
    ...     model.learn_one({"price": float(number % 100)})
    >>> [round(model.score_one({"price": price}), 2) for price in (50.0, 98.0, 500.0)]
    [0.02, 0.5, 0.9]

    References
    ----------
    `river.anomaly.QuantileFilter`, `river.stats.Quantile`; Jain and Chlamtac, "The P2 algorithm", 1985.
    """
    return PreparedDetector(AsIs(), BeyondQuantile(feature, q, side, after))
