"""The step `since`: the time that has passed since the last record of the same entity."""

from math import log1p

from headrace.learning.features.hashing import text_of
from headrace.learning.features.last import Last
from headrace.learning.features.step import NUMBERS, Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value


@tagged("feature-since/1")
class Since(Step):
    """Makes a time, in seconds, into the logarithm of the seconds since the last record with the same value of another feature.

    A record whose entity has not come before has no such number, and counts as `NAME.first`. The entities of the last 100,000 are known.

    Parameters
    ----------
    by
        The feature that names the entity, such as a user.

    Examples
    --------
    >>> step = Since(by="user")
    >>> step.transform("at", 100.0, {"user": "u1"})
    {'at.first': '1'}
    >>> step.learn(100.0, {"user": "u1"}, True)
    >>> step.transform("at", 100.0, {"user": "u1"}), step.transform("at", 160.0, {"user": "u1"})
    ({'at.since': 0.0}, {'at.since': 4.110873864173311})
    """

    takes = NUMBERS

    def __init__(self, by: str):
        self.by = by
        self.last = Last()

    def transform(self, name: str, value: Value, x: Features) -> Features:
        """Return the logarithm of the seconds, or that it is the first."""
        before = self.last.of(text_of(x[self.by])) if self.by in x else None
        return (
            {f"{name}.first": "1"}
            if before is None
            else {f"{name}.since": log1p(max(float(value) - float(before), 0.0))}
        )

    def learn(self, value: Value, x: Features, y: Label | None) -> None:  # noqa: ARG002
        """Remember when the entity came last."""
        if self.by in x:
            self.last.note(text_of(x[self.by]), value)
