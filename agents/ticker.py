"""The ticker of a shard: appends ticks to an idle log, since only times in the log count."""

import math
from collections.abc import Callable

from headrace.agents.log_clock import LogClock
from headrace.learning.fold.learner import Learner
from headrace.tables.kafka.log import EventLog

TICK = b'{"control": "tick"}'
TICK_SECONDS = 1.0
"""How often a tick is appended at most."""


class Ticker:
    """Appends a tick when the log is idle and something waits for a time that has come.

    Parameters
    ----------
    log, partition
        Where the ticks go.
    end
        The offset at which the log ended when the shard was opened.
    monotonic, wall
        Seconds of a clock that never goes back; seconds since the epoch.
    """

    def __init__(
        self, log: EventLog, partition: int, end: int, monotonic: Callable[[], float], wall: Callable[[], float]
    ):
        self.log, self.partition = log, partition
        self._clock = LogClock(end, monotonic)
        self._monotonic, self._wall = monotonic, wall
        self._ticked_at = -math.inf

    async def tick_if_due(self, learner: Learner, *, is_idle: bool) -> None:
        """Append a tick if the log is idle and the learner waits for a time that has come. Raises what the broker fails with."""
        self._clock.see(learner.state.position, learner.state.clock)
        now, wall_ms = self._monotonic(), self._wall() * 1000
        if is_idle and now - self._ticked_at >= TICK_SECONDS and self._clock.is_due(learner.due_at, wall_ms):
            self._ticked_at = now
            await self.log.append(self.partition, TICK, self._clock.stamp(wall_ms))
