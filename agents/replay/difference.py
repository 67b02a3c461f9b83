"""Compares two past states of a task: metrics, weights, and what they predict for the same rows."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from headrace.agents.replay.replay import Replay, ReplayError
from headrace.learning.arms import Arm
from headrace.learning.effects import Effect, Saved
from headrace.learning.encoding import decode, encode
from headrace.learning.explain import weights_of
from headrace.learning.prediction import Prediction
from headrace.learning.task import Json, Label, Task, Value, made_for, modules_of
from headrace.learning.versions import Version


class Point(NamedTuple):
    """A place in the log of one shard: a position, or the version that was saved in the message before it."""

    name: str
    partition: int
    position: int
    version: str | None = None

    @classmethod
    def parse(cls, text: str, partition: int) -> "Point":
        """Read a position, or the id of a version, which names its shard itself.

        Raises
        ------
        ReplayError
            It is neither.

        Examples
        --------
        >>> Point.parse("120", 1)
        Point(name='120', partition=1, position=120, version=None)
        >>> Point.parse("v50-0-49", 1)
        Point(name='v50-0-49', partition=0, position=50, version='v50-0-49')
        """
        if text.isdigit():
            return cls(text, partition, int(text))
        _, *parts = text.removeprefix("v").split("-")
        if text.startswith("v") and len(parts) in (2, 3) and all(part.isdigit() for part in parts):
            return cls(text, int(parts[0]), int(parts[1]) + 1, text)
        raise ReplayError(
            f"'{text[:80]}' is neither a position nor a version.",
            "Name an offset such as 1200, or see headrace versions.",
        )


class Past(msgspec.Struct, frozen=True):
    """A model at a point, with its figures.

    Parameters
    ----------
    name, partition, position
        The point.
    updates, model, digest
        Labels that it has learned, what its model is called, and the digest of the model alone.
    metrics
        Those of its arm at that time.
    """

    name: str
    partition: int
    position: int
    updates: int
    model: str
    digest: str
    metrics: dict[str, float | None]


class Taken(NamedTuple):
    """A past model, its arm to ask, and the last inputs of the state."""

    past: Past
    arm: Arm
    probes: list[dict[str, Value]]


class Row(msgspec.Struct, frozen=True):
    """What the two predict for one row: the label, and the probability that each gives to the first one's label, if it gives any."""

    features: dict[str, Value]
    a: Label | None
    b: Label | None
    a_probability: float | None
    b_probability: float | None


class Difference(msgspec.Struct, frozen=True):
    """How two past models differ.

    Parameters
    ----------
    a, b
        The two.
    weights
        Of linear models: the weights that differ as `[name, a, b]`, those that differ most first; None for other models. The intercept has an
        empty name; a weight that one of them lacks is 0.
    rows
        What they predict for each row.
    changed
        Rows for which they predict another label, or another number.
    """

    a: Past
    b: Past
    weights: list[tuple[str, float, float]] | None
    rows: list[Row]
    changed: int


class Observer:
    """Notes the versions that a fold saves."""

    def __init__(self) -> None:
        self.saved: dict[str, Version] = {}

    def observe(self, effects: Iterable[Effect]) -> None:
        """See the effects of the fold."""
        self.saved |= {effect.version.id: effect.version for effect in effects if isinstance(effect, Saved)}


async def take(replay: Replay, point: Point, observer: Observer) -> Taken:
    """Fold on to a point, and take a copy of the champion there, or of the version.

    Raises
    ------
    ReplayError
        The shard cannot come so far, or saves no such version there.
    """
    waiting = await replay.to(point.position)
    learner = replay.learner
    if waiting is not None:
        raise ReplayError(
            f"the shard waits at {learner.state.position} for the {waiting.why} of {waiting.id}.",
            "Name a position up to there.",
        )
    probes = list(learner.state.probes)
    if point.version is None:
        champion = learner.champion
        model = decode(encode(champion.model), modules_of(champion.made_of))
        figures = champion.scoreboard.figures()
        past = Past(
            point.name, point.partition, point.position, champion.updates, champion.model_name, champion.digest, figures
        )
        return Taken(past, _arm(learner.task, champion.made_of, model, champion.updates), probes)
    version = observer.saved.get(point.version)
    data = None if version is None else replay.artefacts.get(version.digest)
    if version is None or data is None:
        raise ReplayError(
            f"the shard has saved no version '{point.version}'.",
            f"See headrace versions {replay.task.name}, or name a position.",
        )
    arm = _arm(learner.task, version.model, None, version.updates)
    arm.model = decode(data, modules_of(version.model))
    past = Past(
        point.name, point.partition, version.position, version.updates, arm.model_name, version.digest, version.metrics
    )
    return Taken(past, arm, probes)


def compare(a: Taken, b: Taken, rows: list[dict[str, Value]]) -> Difference:
    """Compare two past models on the same rows.

    Parameters
    ----------
    a, b
        The models.
    rows
        Features.
    """
    compared = [_compare_row(a.arm, b.arm, features) for features in rows]
    return Difference(
        a.past, b.past, _compare_weights(a.arm.model, b.arm.model), compared, sum(row.a != row.b for row in compared)
    )


def _compare_row(a: Arm, b: Arm, features: dict[str, Value]) -> Row:
    first, second = a.predict(features), b.predict(features)
    label = None if first is None else first.value
    return Row(
        features,
        label,
        None if second is None else second.value,
        _probability(first, label),
        _probability(second, label),
    )


def _probability(prediction: Prediction | None, label: Json) -> float | None:
    if prediction is None or prediction.probabilities is None or label is None:
        return None
    return prediction.probabilities.get(label, 0.0)


def _compare_weights(a: Any, b: Any) -> list[tuple[str, float, float]] | None:
    before, after = weights_of(a), weights_of(b)
    if before is None or after is None:
        return None
    names = dict.fromkeys([*before, *after])
    pairs = [(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names]
    return sorted((pair for pair in pairs if pair[1] != pair[2]), key=lambda pair: -abs(pair[2] - pair[1]))


def _arm(task: Task, made_of: Any, model: Any, updates: int) -> Arm:
    """Make an arm to ask."""
    arm = Arm(made_for(task, made_of), role="challenger")
    if model is not None:
        arm.model = model
    arm.updates = updates
    return arm
