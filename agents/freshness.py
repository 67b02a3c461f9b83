"""Tracks when a model was last known to have folded its whole log, to tell the staleness of its answers."""

from collections import deque

MARKS_MAX = 600


class Freshness:
    """Remembers where the log ended at which moment. A model that has reached such an end was up to date at that moment.

    Parameters
    ----------
    at
        The latest known moment at which the model was up to date, in seconds of a clock that never goes back.

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

    def set_known(self, at: float) -> None:
        """Set the moment at which the model was last known to be up to date."""
        self._at = at

    def mark(self, end: int, at: float) -> None:
        """Record the end of the log as of the moment `at`, which must not be later than the look-up of the end."""
        if self._marks and self._marks[-1][0] == end:
            self._marks.pop()
        self._marks.append((end, at))

    def staleness(self, position: int, now: float) -> float:
        """Return an upper bound of the seconds of the log that a model at this position has not folded."""
        marks = self._marks
        while marks and marks[0][0] <= position:
            self._at = max(self._at, marks.popleft()[1])
        return now - self._at


def known_from(clock: int, now: float, wall: float) -> float:
    """Return the moment at which a model whose log time is `clock` was up to date: every later record has a later timestamp.

    Parameters
    ----------
    clock
        Log time in milliseconds. 0 means that nothing was folded; then the result is `now`, as if the log began now.
    now
        Seconds of the clock that never goes back.
    wall
        Seconds since the epoch, now.

    Examples
    --------
    >>> known_from(1_767_225_600_000, now=70.0, wall=1_767_225_610.0)
    60.0
    """
    return now - max(0.0, wall - clock / 1000) if clock else now
