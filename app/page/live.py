"""What the live feed of a task tells: the figures that move from second to second, none of which takes long to read."""

import asyncio
import time

import msgspec

from headrace.agents.shard import Shard
from headrace.agents.shards import Model
from headrace.agents.telemetry import Histogram
from headrace.app.answers import ShardState
from headrace.app.families import PERCENTILES
from headrace.app.serving.served_task import ServedTask
from headrace.learning.arms import Arm
from headrace.learning.effects import ExperimentMeasured, Weighed
from headrace.learning.fold.weigh import bound, measure_experiments, weigh_each
from headrace.learning.state import State


class LiveArm(msgspec.Struct, frozen=True):
    """An arm: what it has scored and learned, and its figures over the last 1,000 scored predictions."""

    role: str
    scored: int
    updates: int
    window: dict[str, float | None]


class LiveShard(msgspec.Struct, frozen=True):
    """A shard; without a model on this worker it has only `partition` and `state`.

    Parameters
    ----------
    end
        The end of the log when it was last looked up; None on a worker that does not own the shard.
    time
        Log time in seconds: the latest timestamp that was folded.
    waiting
        Questions that wait for their label.
    label_delay_s
        Percentiles of the last 1,000 label delays; None before the first.
    versions, signals
        The id of the last version, and of the last signal: when one changes, there is a new one to be read.
    evidence, experiments
        As in a point of the history.
    """

    partition: int
    state: ShardState
    position: int = 0
    end: int | None = None
    staleness_s: float | None = None
    time: float | None = None
    updates: int = 0
    quarantined: int = 0
    waiting: int = 0
    label_delay_s: dict[str, float] | None = None
    versions: str | None = None
    signals: str | None = None
    arms: dict[str, LiveArm] = {}
    evidence: list[Weighed] = []
    experiments: list[ExperimentMeasured] = []


class Latency(msgspec.Struct, frozen=True):
    """Durations since the worker has started: the bounds of buckets in seconds, and how many were in each; the last bucket has no bound."""

    bounds: list[float]
    counts: list[int]

    @classmethod
    def of(cls, histogram: Histogram) -> "Latency":
        """Read a histogram."""
        return cls(list(histogram.bounds), list(histogram.counts))


class Live(msgspec.Struct, frozen=True):
    """One event of the feed: the shards of a task, and what this worker does for it.

    Parameters
    ----------
    time
        Seconds since the epoch, by the clock of the worker.
    predictions
        Questions answered since the worker has started.
    answers, updates
        How long requests for predictions took, and from the timestamp of a message until it was folded.
    """

    task: str
    time: float
    shards: list[LiveShard]
    predictions: int
    answers: Latency
    updates: Latency


async def tell(served: ServedTask) -> Live:
    """Read the figures of a task. Other requests run between two shards, two arms and two detectors."""
    shards = [
        await _read(known, served.shards.answering(partition), served.state_of(known))
        for partition, known in served.shards.known().items()
    ]
    telemetry = served.telemetry
    return Live(
        served.task.name,
        round(time.time(), 3),
        shards,
        telemetry.predictions,
        Latency.of(telemetry.inference_seconds),
        Latency.of(telemetry.update_seconds),
    )


async def _read(known: Model, model: Model | None, state_here: ShardState) -> LiveShard:
    if model is None or model.learner is None:
        return LiveShard(known.partition, state_here)
    arms: dict[str, LiveArm] = {}
    for name, arm in list(model.learner.state.arms.items()):
        arms[name] = read_arm(arm)
        await asyncio.sleep(0)
    weighed: list[Weighed] = []
    for one in weigh_each(model.learner.state):
        weighed.append(one)
        await asyncio.sleep(0)
    state = model.learner.state
    return LiveShard(
        known.partition,
        state_here,
        position=state.position,
        end=max(known.progress.end, state.position) if isinstance(known, Shard) else None,
        staleness_s=round(model.staleness, 3),
        time=state.clock / 1000 if state.clock else None,
        updates=state.updates,
        quarantined=state.quarantined,
        waiting=state.join.waiting,
        label_delay_s=delays_of(state),
        versions=next(reversed(state.versions.saved), None),
        signals=state.signals[-1].id if state.signals else None,
        arms=arms,
        evidence=bound(weighed),
        experiments=measure_experiments(state),
    )


def read_arm(arm: Arm) -> LiveArm:
    """Read an arm, with the figures of the window that take little time."""
    board = arm.scoreboard
    error = board.recent_error()
    window = {"mae": error} if board.kind == "regression" else {"accuracy": None if error is None else 1 - error}
    if board.kind != "regression":
        window["log_loss"] = board.recent_loss()
    return LiveArm(arm.role, board.scored, arm.updates, window)


def delays_of(state: State) -> dict[str, float] | None:
    """Return percentiles of the last label delays, in seconds; None before the first."""
    delays = sorted(state.join.delays)
    if not delays:
        return None
    return {f"p{one}": delays[min(len(delays) * one // 100, len(delays) - 1)] / 1000 for one in PERCENTILES}
