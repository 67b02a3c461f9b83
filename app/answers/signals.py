"""What detectors, guards and experiments have found."""

import msgspec

from headrace.app.answers.answer import Position
from headrace.learning.experiments import ExperimentStatus
from headrace.learning.signals import Direction, SignalKind


class StoredSignal(msgspec.Struct, frozen=True):
    """What a detector or a guard has noticed, and what was done about it.

    Parameters
    ----------
    id
        Its id, as on `<task>.signals`, unique in the task.
    partition, position
        The shard, and the offset of the message at which it was noticed.
    kind
        `drift`; `oscillation`; a `warning` of either; or `guard`.
    arm
        The arm that it is about; None where it is about the records.
    detector
        The name of the detector or the guard.
    watched
        `error`, `score`, `label_rate` or `feature:NAME`.
    direction
        `worse` or `better` for an error, `changed` for anything else.
    before, after
        The mean of what is watched, before and after the change. Of a guard: the mean loss of what the champion is compared with, and its own.
    width_before, width
        The number of values that each mean is of.
    action
        What was done about it, in words.
    waits
        Whether a reaction waits for an operator: `headrace react TASK ID`.
    time
        Log time in seconds since the epoch.
    """

    id: str
    partition: Position
    position: Position
    kind: SignalKind
    arm: str | None
    detector: str
    watched: str
    direction: Direction
    before: float
    after: float
    width_before: Position
    width: Position
    action: str
    waits: bool
    time: float


class RunningExperiments(msgspec.Struct, frozen=True):
    """The experiments of a task, by shard."""

    experiments: list[ExperimentStatus]


class StoredSignals(msgspec.Struct, frozen=True):
    """The signals of a task's shards, oldest first."""

    signals: list[StoredSignal]
