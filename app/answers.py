"""The answers of a worker over HTTP, for its views and for clients. This module does not import the web server."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from headrace.agents.background import BackgroundStatus
from headrace.learning.task import Json, Kind, Label, Value

Position = Annotated[int, msgspec.Meta(ge=0)]

ShardState = Literal["opening", "live", "stopped", "stale", "replica"]
"""The states of a shard that a worker owns (`agents.shard.OwnedState`), and `replica` for a shard of which it has a replica."""


class At(msgspec.Struct, frozen=True):
    """The place of a record in a topic."""

    partition: Position
    offset: Position


class Appended(msgspec.Struct, frozen=True):
    """The places of a request's records in the topic, in their order."""

    positions: list[At]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a model to a question.

    Parameters
    ----------
    id
        The id of the question; a new id if the question had none.
    prediction
        The most likely label, or the number; None while the model is cold.
    probabilities
        The probability of each class seen so far, by its name; None for a regression, and while the model is cold.
    arm, version
        The arm that predicted, and the version if its model was installed from one.
    position
        The position of the model in the shard's log.
    staleness_s
        The largest age of the model, in seconds: it has folded all older records.
    logged
        For a question with `log`: its place in the event log, or whether it is on its way there.
    """

    id: str
    prediction: Label | None
    probabilities: dict[str, float] | None
    arm: str
    version: str | None
    position: Position
    staleness_s: float
    logged: At | bool | UnsetType = UNSET


class StoredValue(msgspec.Struct, frozen=True):
    """A stored feature: its value, null if it cannot be read, and its age in seconds."""

    value: Value | None
    age_s: float | None


class StoredEntity(msgspec.Struct, frozen=True):
    """The stored features of an entity, by name."""

    key: str
    features: dict[str, StoredValue]


class ArmStatus(msgspec.Struct, frozen=True):
    """The status of an arm: its role, model, version and metrics. A metric is None while it is not a finite number."""

    role: Literal["champion", "challenger", "baseline"]
    model: str
    version: str | None
    metrics: dict[str, Json]


class ShardStatus(msgspec.Struct, frozen=True):
    """The status of a shard. A shard that is being opened has only `partition` and `state`.

    `end` is None if the broker does not answer. `digest` is None while the shard is in the middle of a message, or if the digest takes too
    long to compute. `notice` says what was wrong when the shard was opened, and what was done. `state_bytes` and `seal_s` are the size of
    the last snapshot before compression, and the seconds that it took to make.
    """

    partition: Position
    state: ShardState
    error: str | UnsetType = UNSET
    notice: str | UnsetType = UNSET
    state_bytes: Position | UnsetType = UNSET
    seal_s: float | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    end: Position | UnsetType | None = UNSET
    staleness_s: float | UnsetType = UNSET
    updates: Position | UnsetType = UNSET
    quarantined: Position | UnsetType = UNSET
    skipped: Position | UnsetType = UNSET
    questions: dict[str, Json] | UnsetType = UNSET
    served: dict[str, Json] | UnsetType = UNSET
    order: dict[str, Position] | UnsetType = UNSET
    batch: dict[str, Position] | UnsetType = UNSET
    digest: str | UnsetType | None = UNSET
    arms: dict[str, ArmStatus] | UnsetType = UNSET


class Status(msgspec.Struct, frozen=True):
    """The status of a task on this worker.

    `error` says why the whole task is stopped: its topics cannot be used. `background` lists the background tasks of the worker, for all of
    its tasks, that have failed and were started again.
    """

    task: str
    kind: Kind
    logging: dict[str, Position]
    shards: list[ShardStatus]
    error: str | UnsetType = UNSET
    sources: dict[str, Json] | UnsetType = UNSET
    stored: dict[str, Position] | UnsetType = UNSET
    background: list[BackgroundStatus] | UnsetType = UNSET
