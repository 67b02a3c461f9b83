"""A threshold by season: the score of a record is how far a number is from the usual one of its hour or weekday."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta
from river import base

from headrace.learning.models.detecting import PreparedDetector
from headrace.learning.models.preparing import AsIs
from headrace.learning.parameters import Count, Positive
from headrace.learning.tags import tagged
from headrace.learning.task import Value

Name = Annotated[str, Meta(min_length=1, max_length=256)]

HOUR = 3_600

NAMES_MAX = 1_000
"""The most features that are counted, so that a model does not grow for ever. Later ones count for nothing."""

NO_PARTS: dict[int, tuple[int, float, float]] = {}

SEASONS = {"hour": (HOUR, 24, 0), "weekday": (24 * HOUR, 7, 3), "week": (HOUR, 7 * 24, 3 * 24)}
"""By what a season is named: the seconds of a part of it, the number of parts, and the part of 1970-01-01, a Thursday."""


@tagged("seasonal/1", parts=dict[str, dict[int, tuple[int, float, float]]])
class Seasonal(base.AnomalyDetector):
    """Scores a record by the number that is furthest from the mean of its part of the season.

    Parameters
    ----------
    feature
        The number that is looked at; None for all but the time.
    time
        The feature with the time, in seconds since the epoch. Records without it are compared with each other.
    by
        `hour` of the day, `weekday`, or `week`: the hour of the week; in UTC.
    deviations
        The distance, in standard deviations, at which the score is 0.5.
    after
        The numbers of a part of the season that are only counted.

    Attributes
    ----------
    count
        The number of records learned.
    parts
        By feature and part of the season: the count, the mean and the variance.
    """

    def __init__(self, feature: str | None, time: str, by: str, deviations: float, after: int):
        self.feature, self.time, self.by = feature, time, by
        self.deviations, self.after = deviations, after
        self.count = 0
        self.parts: dict[str, dict[int, tuple[int, float, float]]] = {}

    def learn_one(self, x: dict[str, Value]) -> None:
        """Count the numbers of a record in its part of the season."""
        self.count += 1
        part = self._part(x)
        for name, value in self._numbers(x):
            parts = self.parts.get(name)
            if parts is None:
                if len(self.parts) >= NAMES_MAX:
                    continue
                parts = self.parts[name] = {}
            count, mean, variance = parts.get(part, (0, 0.0, 0.0))
            count += 1
            off = value - mean
            mean += off / count
            parts[part] = count, mean, variance + (off * (value - mean) - variance) / count

    def score_one(self, x: dict[str, Value]) -> float | None:
        """Return how strange a record is, from 0 to 1; None before `after` records."""
        if self.count < self.after:
            return None
        part, largest = self._part(x), 0.0
        for name, value in self._numbers(x):
            count, mean, variance = self.parts.get(name, NO_PARTS).get(part, (0, 0.0, 0.0))
            if count >= self.after and (away := abs(value - mean)):
                largest = max(largest, away / (away + self.deviations * max(variance, 0.0) ** 0.5))
        return largest

    def _numbers(self, x: dict[str, Value]) -> Iterator[tuple[str, float]]:
        for name, value in x.items():
            if name != self.time and self.feature in (None, name) and not isinstance(value, str):
                yield name, float(value)

    def _part(self, x: dict[str, Value]) -> int:
        """Return the part of the season of a record; -1 if it has no time."""
        time = x.get(self.time)
        if time is None or isinstance(time, str):
            return -1
        seconds, parts, first = SEASONS[self.by]
        return int((time // seconds + first) % parts)


def seasonal(
    feature: Name | None = None,
    time: Name = "time",
    by: Literal["hour", "weekday", "week"] = "hour",
    deviations: Positive = 3.0,
    after: Count = 10,
) -> PreparedDetector:
    """Make a threshold on numbers for each hour of the day, weekday, or hour of the week.

    Parameters
    ----------
    feature
        The number that is looked at. Left out: all but the time, and the strangest one counts.
    time
        The feature with the time, in seconds since the epoch. Records without it are compared with each other.
    by
        `"hour"` of the day, `"weekday"`, or `"week"`: the hour of the week; in UTC.
    deviations
        The distance from the mean, in standard deviations, at which the score is 0.5.
    after
        The numbers of an hour or weekday that are only counted.

    Examples
    --------
    >>> model = seasonal(feature="visits")
    >>> for hour in range(24 * 30):
    ...     model.learn_one({"visits": (100.0 if 8 <= hour % 24 < 20 else 5.0) + hour // 24 % 3, "time": 3600.0 * hour})
    >>> [round(model.score_one({"visits": 100.0, "time": 3600.0 * hour}), 2) for hour in (12, 3)]
    [0.29, 0.97]
    """
    return PreparedDetector(AsIs(), Seasonal(feature, time, by, deviations, after))
