"""The first definition of an event log: the owner of a shard writes into the log by what it has folded it so far."""

import math
from collections.abc import Callable

import msgspec

from headrace.learning.fold.learner import Learner
from headrace.learning.state import State
from headrace.tables.kafka.log import EventLog

AGAIN_SECONDS = 10.0
"""How long a definition may take from the log to the state before it is written again; a second one has no effect."""


class FirstDefinition:
    """Appends the definition of a task to a log that has none, as soon as all that the log had is folded.

    From then on the log itself says how it is folded, and a change of `headrace.toml` changes nothing until it is applied. A log that was
    empty has its definition in front of everything else.

    Parameters
    ----------
    log, partition
        Where it goes.
    end
        The offset at which the log ended when the shard was opened.
    monotonic
        Seconds of a clock that never goes back.
    """

    def __init__(self, log: EventLog, partition: int, end: int, monotonic: Callable[[], float]):
        self.log, self.partition, self.end = log, partition, end
        self._monotonic = monotonic
        self._written_at = -math.inf

    async def write_if_missing(self, learner: Learner) -> None:
        """Append the definition, if the log has none up to where it ended. Raises what the broker fails with."""
        state, now = learner.state, self._monotonic()
        if state.defined_at is None and state.position >= self.end and now - self._written_at >= AGAIN_SECONDS:
            self._written_at = now
            await self.log.append(self.partition, write(state), state.clock)


def write(state: State) -> bytes:
    """Write the control record: what the state is folded by. Its message has the time of the log, which must not go on because of it."""
    record = {"control": "define", "task": msgspec.Raw(state.definition), "first": True, "by": "headrace"}
    return msgspec.json.encode(record)
