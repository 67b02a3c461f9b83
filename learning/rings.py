"""Rings: decide after which records the metrics of a shard are measured, and which slot of the history each point takes."""

from typing import Literal, NamedTuple

from headrace.learning.tags import tagged

RingName = Literal["labels", "minutes", "hours"]
"""By what the points of a ring follow each other."""

SIZES: dict[RingName, int] = {"labels": 360, "minutes": 180, "hours": 744}
"""The number of points that a ring holds: a new point takes the slot of the oldest. 744 hours are 31 days."""

LABELS_MIN, LABELS_MAX = 100, 25_000
LABELS_SHARE = 5
"""A point comes after a fifth more labels, at least 100 and at most 25,000: many while a model is new, and one a second at 25,000 rows/s."""

MINUTE, HOUR = 60_000, 3_600_000
"""Of log time, in milliseconds."""

MINUTE_LABELS = 1_000
"""The least labels between two points of the ring by minutes. In an old log that is folded again, minutes pass a thousand times faster."""


class Slot(NamedTuple):
    """The place of a new point: its ring, and the number of points that the ring has got before."""

    ring: RingName
    number: int


@tagged("ring/1")
class Ring:
    """What a shard remembers of a ring.

    Attributes
    ----------
    points
        The number of points so far.
    updates, period
        The number of labels learned, and the minute or hour of log time, at the last point.
    """

    def __init__(self) -> None:
        self.points = self.updates = self.period = 0

    def take(self, name: RingName, updates: int, period: int = 0) -> Slot:
        """Take the slot of a new point."""
        slot = Slot(name, self.points)
        self.points, self.updates, self.period = self.points + 1, updates, period
        return slot


@tagged("rings/1")
class Rings:
    """The rings of a shard. They hold no points, only when the next ones are due.

    What is due depends on labels and log time alone, so folding the log again gives the same points with the same slots. The points are
    published as `Measured`, under the key of the slot in a compacted topic: the history is bounded, and becomes coarser with age by itself.

    Attributes
    ----------
    due_updates, due_clock
        A point may be due from this number of labels, or from this log time on.
    labels, minutes, hours
        The rings.

    Examples
    --------
    >>> rings = Rings()
    >>> for clock, updates in [(1_000, 1), (2_000, 100), (HOUR, 101), (HOUR, 1_101)]:
    ...     rings.take(updates, clock)
    []
    [Slot(ring='labels', number=0)]
    [Slot(ring='hours', number=0)]
    [Slot(ring='labels', number=1), Slot(ring='minutes', number=0)]
    """

    def __init__(self) -> None:
        self.due_updates = LABELS_MIN
        self.due_clock = 0
        self.labels, self.minutes, self.hours = Ring(), Ring(), Ring()

    def take(self, updates: int, clock: int) -> list[Slot]:
        """Take the slots of the points that are due.

        Parameters
        ----------
        updates
            The number of labels that the shard has learned.
        clock
            Log time in milliseconds.
        """
        slots: list[Slot] = []
        minute, hour = clock // MINUTE, clock // HOUR
        if not self.due_clock:  # the first record: no time has passed before it
            self.minutes.period, self.hours.period = minute, hour
        if updates >= self.due_updates:
            slots.append(self.labels.take("labels", updates))
            self.due_updates = updates + min(max(updates // LABELS_SHARE, LABELS_MIN), LABELS_MAX)
        if minute > self.minutes.period and updates >= self.minutes.updates + MINUTE_LABELS:
            slots.append(self.minutes.take("minutes", updates, minute))
        if hour > self.hours.period and updates > self.hours.updates:
            slots.append(self.hours.take("hours", updates, hour))
        self.due_clock = min((self.minutes.period + 1) * MINUTE, (self.hours.period + 1) * HOUR)
        return slots
