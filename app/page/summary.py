"""A task in a line: what the list of all tasks shows of it."""

from collections import Counter

import msgspec

from headrace.app.answers import Position, ShardState
from headrace.app.serving.served_task import ServedTask
from headrace.learning.task import Kind


class TaskSummary(msgspec.Struct, frozen=True):
    """A task of this worker, over all shards that it owns or has a model of.

    Parameters
    ----------
    task, kind, model, partitions
        As in its definition.
    shards
        The number of shards in each state.
    messages, lag
        Messages folded, and those that are not folded yet, as far as this worker knows the end of the log.
    staleness_s
        The largest age of a model, in seconds; None before there is one.
    updates, quarantined
        Labels learned, and records refused.
    metric, recent
        `accuracy`, or `mae` of a regression, of the champion over the last 1,000 scored predictions of each shard; None before the first.
    """

    task: str
    kind: Kind
    model: str
    partitions: Position
    shards: dict[ShardState, Position]
    messages: Position
    lag: Position
    staleness_s: float | None
    updates: Position
    quarantined: Position
    metric: str
    recent: float | None


class TaskSummaries(msgspec.Struct, frozen=True):
    """The tasks of a worker, by name."""

    tasks: list[TaskSummary]


def summarise(served: ServedTask) -> TaskSummary:
    """Describe a task in a line, from what the worker has in memory."""
    states, errors = Counter[ShardState](), 0.0
    messages = lag = updates = quarantined = scored = 0
    staleness: list[float] = []
    name = served.task.model_name
    for partition in range(served.task.partitions):
        owned, model = served.shards.owned.get(partition), served.shards.answering(partition)
        known = owned or model
        states[served.state_of(known)] += 1
        if model is None or model.learner is None:
            continue
        state = model.learner.state
        messages += state.position
        lag += max(0, owned.progress.end - state.position) if owned is not None else 0
        updates, quarantined = updates + state.updates, quarantined + state.quarantined
        staleness.append(model.staleness)
        name = model.learner.champion.model_name
        board = model.learner.champion.scoreboard
        if (error := board.recent_error()) is not None:
            scored += len(board.window)
            errors += error * len(board.window)
    is_regression, mean = served.task.kind == "regression", errors / scored if scored else None
    return TaskSummary(
        served.task.name,
        served.task.kind,
        name,
        served.task.partitions,
        dict(states),
        messages,
        lag,
        round(max(staleness), 3) if staleness else None,
        updates,
        quarantined,
        "mae" if is_regression else "accuracy",
        mean if mean is None or is_regression else 1 - mean,
    )
