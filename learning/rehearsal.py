"""A reservoir of past samples, which are learned again beside new ones."""

from collections.abc import Iterator

from headrace.learning.tags import tagged
from headrace.learning.task import Label, Rehearsal, Value
from headrace.learning.waiting.batch import LabelledFeatures

MASK = 2**64 - 1


@tagged("reservoir/1", rows=list[tuple[dict[str, bool | int | float | str], bool | int | float | str]], draws=int)
class Reservoir:
    """Keeps a bounded number of samples, so that each one of the past is as likely to be among them as any other.

    Attributes
    ----------
    rows
        The samples that are kept.
    seen
        Samples that were added.
    draws
        Random numbers that were drawn, from which the next one follows.
    owed
        The share of a kept sample that is still to be learned again.

    Examples
    --------
    >>> reservoir, settings = Reservoir(), Rehearsal(size=3, ratio=0.5)
    >>> again = [list(reservoir.add({"x": number}, True, settings)) for number in range(6)]
    >>> [[row.features["x"] for row in rows] for rows in again]
    [[], [0], [], [1], [], [3]]
    >>> [row.features["x"] for row in reservoir.rows]
    [3, 5, 2]

    References
    ----------
    Vitter, "Random sampling with a reservoir", 1985 (algorithm R); Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
    2014 (SplitMix64).
    """

    def __init__(self) -> None:
        self.rows: list[LabelledFeatures] = []
        self.seen = 0
        self.draws = 0
        self.owed = 0.0

    def add(self, features: dict[str, Value], label: Label, settings: Rehearsal) -> Iterator[LabelledFeatures]:
        """Yield the kept samples to learn again now, and then add one."""
        self.owed += settings.ratio
        while self.owed >= 1.0:
            self.owed -= 1.0
            if self.rows:
                yield self.rows[self._below(len(self.rows))]
        self.seen += 1
        row = LabelledFeatures(features, label)
        if len(self.rows) < settings.size:
            self.rows.append(row)
        else:
            del self.rows[settings.size :]
            if (place := self._below(self.seen)) < settings.size:
                self.rows[place] = row

    def _below(self, count: int) -> int:
        """Draw a number from 0 up to but not including `count`."""
        self.draws += 1
        value = self.draws * 0x9E3779B97F4A7C15 & MASK
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & MASK
        value = (value ^ value >> 27) * 0x94D049BB133111EB & MASK
        return (value ^ value >> 31) * count >> 64
