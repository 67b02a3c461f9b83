"""Tells the current time by the timestamps of a log, independent of the clock of this machine."""

import math
from collections.abc import Callable

LATE_MS = 24 * 3_600_000
"""How far this machine's clock may be behind, in milliseconds."""


class LogClock:
    """Estimates the time of an idle log: the timestamp of its last message plus the time since that message was seen.

    The ticker needs it: ticks are for times in the log, and brokers stamp the log. By its own clock, a worker that is an hour behind would send
    ticks an hour late, and one that is an hour ahead would send a useless tick every second. The estimate is never ahead of the log's time,
    because a message is seen after it was stamped.

    A message that was in the log before the shard was opened may have been stamped long ago, so the log's time is unknown until a later message
    has been seen. Until then an entry counts as due if this machine's clock, which may be up to a day slow, allows it. The first tick ends this.

    Parameters
    ----------
    end
        The offset at which the log ended when the shard was opened.
    monotonic
        Returns seconds of a clock that never goes back.

    Examples
    --------
    >>> seconds = 50.0
    >>> clock = LogClock(end=7, monotonic=lambda: seconds)
    >>> clock.see(position=7, log_ms=1_000_000)
    >>> clock.is_due(9_000_000, wall_ms=2_000_000), clock.is_due(90_000_000, wall_ms=2_000_000)
    (True, False)
    >>> clock.see(position=8, log_ms=4_000_000)
    >>> clock.is_due(4_010_000, wall_ms=2_000_000)
    False
    >>> seconds = 60.0
    >>> clock.is_due(4_010_000, wall_ms=2_000_000)
    True
    """

    def __init__(self, end: int, monotonic: Callable[[], float]):
        self._end, self._monotonic = end, monotonic
        self._ahead_ms = -math.inf
        self._is_known = False

    def see(self, position: int, log_ms: int) -> None:
        """Record a shard's position and the largest timestamp before it, in milliseconds, soon after they have changed."""
        self._ahead_ms = max(self._ahead_ms, log_ms - self._monotonic() * 1000)
        self._is_known = self._is_known or position > self._end

    @property
    def now_ms(self) -> float:
        """Return the time of the log in milliseconds, or an earlier time."""
        return self._ahead_ms + self._monotonic() * 1000

    def stamp(self, wall_ms: float) -> int:
        """Return the timestamp for a tick, in milliseconds: the time of the log, or `wall_ms` of this machine's clock until that is known.

        A topic that stamps messages itself ignores the timestamp. In any other topic, a tick stamped by a wrong clock would move log time.
        """
        return round(self.now_ms if self._is_known else max(wall_ms, self.now_ms))

    def is_due(self, due_at_ms: float, wall_ms: float) -> bool:
        """Say whether a tick should be appended for an entry that is due at `due_at_ms`, in milliseconds; infinity means no entry.

        `wall_ms` is the time of this machine's clock. It counts only while the time of the log is not known yet.
        """
        return due_at_ms <= (self.now_ms if self._is_known else max(self.now_ms, wall_ms + LATE_MS))
