"""Freshness: when a model was last known to have folded all that its log held."""

from collections import deque

MARKS_MAX = 600


class Freshness:
    """Remembers where the log ended, and when; a model that has come that far was up to date then.

    Parameters
    ----------
    at
        When the model was up to date at the latest that is known, in seconds of a clock that never goes back.

    Examples
    --------
    >>> freshness = Freshness(at=100.0)
    >>> freshness.mark(end=50, at=103.0)
    >>> freshness.mark(end=60, at=104.0)
    >>> freshness.staleness(position=49, now=105.0)
    5.0
    >>> freshness.staleness(position=55, now=105.0)
    2.0
    """

    def __init__(self, at: float):
        self._at = at
        self._marks: deque[tuple[int, float]] = deque(maxlen=MARKS_MAX)  # a lost mark only makes a model seem staler

    def know(self, at: float) -> None:
        """The model was up to date then, and not known to have been so later."""
        self._at = at

    def mark(self, end: int, at: float) -> None:
        """The log was asked for its end, at this moment or later, and ended here."""
        if self._marks and self._marks[-1][0] == end:
            self._marks.pop()
        self._marks.append((end, at))

    def staleness(self, position: int, now: float) -> float:
        """At most how many seconds of the log a model of this position lacks."""
        marks = self._marks
        while marks and marks[0][0] <= position:
            self._at = max(self._at, marks.popleft()[1])
        return now - self._at


def known_from(clock: int, now: float, wall: float) -> float:
    """When a model whose log time is `clock` (milliseconds) was up to date: the log has stamped all later records later.

    Parameters
    ----------
    clock
        0 where nothing was folded; then nothing is known, and it is as if the log began now.
    now
        Of the clock that never goes back.
    wall
        Seconds since the epoch, now.

    Examples
    --------
    >>> known_from(1_767_225_600_000, now=70.0, wall=1_767_225_610.0)
    60.0
    """
    return now - max(0.0, wall - clock / 1000) if clock else now
