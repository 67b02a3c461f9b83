"""The ticker of a shard: appends ticks to an idle log, since only timestamps of the log move log time."""

import math
from collections.abc import Callable

from headrace.agents.log_clock import LogClock
from headrace.agents.pace import Pace
from headrace.learning.fold.learner import Learner
from headrace.tables.kafka.log import EventLog

TICK = b'{"control": "tick"}'


class Ticker:
    """Appends a tick when the log is idle and an entry of the learner is due.

    Parameters
    ----------
    log, partition
        The log and the partition to which ticks are appended.
    end
        The offset at which the log ended when the shard was opened.
    monotonic, wall
        Return seconds of a clock that never goes back, and seconds since the epoch.
    pace
        Has the shortest time between two ticks.
    """

    def __init__(
        self,
        log: EventLog,
        partition: int,
        end: int,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        *,
        pace: Pace,
    ):
        self.log, self.partition, self.pace = log, partition, pace
        self._clock = LogClock(end, monotonic)
        self._monotonic, self._wall = monotonic, wall
        self._ticked_at = -math.inf

    async def tick_if_due(self, learner: Learner, *, is_idle: bool) -> None:
        """Append a tick if the log is idle and an entry of the learner is due. Raises the broker's errors."""
        self._clock.see(learner.state.position, learner.state.clock)
        now, wall_ms = self._monotonic(), self._wall() * 1000
        if is_idle and now - self._ticked_at >= self.pace.tick and self._clock.is_due(learner.due_at, wall_ms):
            self._ticked_at = now
            await self.log.append(self.partition, TICK, self._clock.stamp(wall_ms))
