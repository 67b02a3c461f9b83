"""Tracks the progress of a shard: how far its position is behind the end of its log, and since when."""

import math
from collections.abc import Callable

from headrace.agents.freshness import Freshness
from headrace.agents.pace import Pace


class Progress:
    """Remembers where the log ended, when the position last moved, and when the log was last compared with the state.

    Parameters
    ----------
    clock
        Returns seconds that never go back.
    pace
        Says how often the log of an idle shard is compared.

    Attributes
    ----------
    end
        The end of the log when it was last looked up.
    is_short
        Whether the log ended before the position: the log has lost its end, or is another log.
    compared_at
        When the log was last checked to be the one that was folded.

    Examples
    --------
    >>> now = 100.0
    >>> progress = Progress(lambda: now, Pace())
    >>> progress.begin(position=7, end=7, asked_at=now, current_at=now)
    >>> now = 112.0
    >>> progress.see(before=7, position=7, end=9, asked_at=now)
    >>> progress.standstill, progress.is_idle, progress.staleness(position=7)
    (12.0, True, 12.0)
    >>> now = 115.0
    >>> progress.see(before=8, position=8, end=9, asked_at=113.0)
    >>> progress.standstill
    0.0
    """

    def __init__(self, clock: Callable[[], float], pace: Pace):
        self.end, self.is_short = -1, False
        self.compared_at = -math.inf
        self._clock, self._pace = clock, pace
        self._position, self._moved_at, self._asked_at = -1, 0.0, 0.0
        self._freshness = Freshness(clock())

    def begin(self, position: int, end: int, asked_at: float, current_at: float) -> None:
        """Begin with a state whose log was just compared. The log had this end at `asked_at`, and the state was up to date at `current_at`."""
        self.compared_at = self._moved_at = self._asked_at = self._clock()
        self._position = position
        self._freshness.set_known(current_at)
        self._freshness.mark(end, asked_at)

    def see(self, before: int, position: int, end: int, asked_at: float) -> None:
        """Record a look-up of the log's end: the end as of `asked_at`, the position before the look-up (`before`), and the position now."""
        self.end, self.is_short, self._asked_at = end, end < before, asked_at
        if position != self._position:
            self._position, self._moved_at = position, asked_at
        if not self.is_short:
            self._freshness.mark(end, asked_at)

    @property
    def standstill(self) -> float:
        """Return the number of seconds for which the position has not moved."""
        return self._asked_at - self._moved_at

    @property
    def is_idle(self) -> bool:
        """Say whether the position has not moved for so long that the log should be compared again."""
        return self._clock() - max(self.compared_at, self._moved_at) >= self._pace.compare_idle

    def staleness(self, position: int) -> float:
        """Return an upper bound of the seconds of the log that a state at this position has not folded."""
        return self._freshness.staleness(position, self._clock())
