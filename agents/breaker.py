"""The end of a pause that no operator has asked for: a breaker has paused the shard, and nobody has looked in time."""

from collections.abc import Callable

import msgspec
import structlog

from headrace.agents.lookahead import Waiting
from headrace.learning.fold.learner import Learner
from headrace.learning.reactions import BREAKER
from headrace.learning.task import LabelRate, milliseconds
from headrace.tables.kafka.log import EventLog

log = structlog.get_logger()

AGAIN_SECONDS = 10.0
"""How long to wait before a `resume` is written again that did not reach the log; a second one has no effect."""


class Breaker:
    """Has a shard go on that a breaker has paused, once it has waited for as long as the task says: that the shard goes on stands in its log.

    A task whose guard `label_rate` is off may have a reaction `pause` all the same: its shards wait for as long as that guard does by default.

    Parameters
    ----------
    log, partition
        The event log of the shard.
    clock
        Seconds that never go back.
    """

    def __init__(self, log: EventLog, partition: int, clock: Callable[[], float]):
        self.log, self.partition, self.clock = log, partition, clock
        self._next_at = 0.0

    async def resume_if_due(self, learner: Learner, waiting: Waiting | None, waits_for: float) -> None:
        """Append a `resume` if it is time. Raises what the broker fails with."""
        if waiting is None or waiting.why != "resume" or not waiting.id.startswith(BREAKER):
            return
        settings = learner.task.guard.label_rate
        wait = settings.wait if isinstance(settings, LabelRate) else LabelRate().wait
        if waits_for * 1000 < milliseconds(wait) or self.clock() < self._next_at:
            return
        self._next_at = self.clock() + AGAIN_SECONDS
        record = {"control": "resume", "by": "headrace"}
        await self.log.append(self.partition, msgspec.json.encode(record), learner.state.clock)
        log.info("a shard that a breaker has paused goes on", partition=self.partition, waited_s=round(waits_for, 1))
