"""The answers of a worker over HTTP, for its views and for clients. This module loads no server."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from headrace.agents.background import BackgroundStatus
from headrace.learning.task import Json, Kind, Label, Value

Position = Annotated[int, msgspec.Meta(ge=0)]

ShardState = Literal["opening", "live", "stopped", "stale", "replica"]
"""The states of a shard that a worker owns (`agents.shard.Status`), and `replica` for one that it only answers for."""


class At(msgspec.Struct, frozen=True):
    """Where a record is in a topic."""

    partition: Position
    offset: Position


class Appended(msgspec.Struct, frozen=True):
    """Where the records of a request are, in their order."""

    positions: list[At]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model says.

    Parameters
    ----------
    id
        Of the question, or one made for it.
    prediction
        The likeliest label or the number; None while the model is cold.
    probabilities
        Of each class seen so far, by its name; None for a regression and while the model is cold.
    arm, version
        Which model spoke: the arm, and the version if it was installed from one.
    position
        Up to where in the shard's log it has learned.
    staleness_s
        At most so many seconds of the log it has not seen.
    logged
        Of a question that was to be logged: where it is, or whether it is on its way.
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
    """A value, null if it cannot be read, and its age in seconds."""

    value: Value | None
    age_s: float | None


class StoredEntity(msgspec.Struct, frozen=True):
    """What a look-up of an entity gives."""

    key: str
    features: dict[str, StoredValue]


class ArmStanding(msgspec.Struct, frozen=True):
    """One arm: what it is, and its metrics; None while there is no finite figure."""

    role: Literal["champion", "challenger", "baseline"]
    model: str
    version: str | None
    metrics: dict[str, Json]


class ShardStanding(msgspec.Struct, frozen=True):
    """One shard; of one that is being opened only partition and state are known.

    `end` is None while the broker does not tell it, and `digest` while the shard stands in the middle of a message, or takes too long
    to compute. `notice` says what was amiss when the shard was opened, and what was done. `state_bytes` and `seal_s` are the size of the
    last snapshot before compression, and the seconds that it took to make.
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
    arms: dict[str, ArmStanding] | UnsetType = UNSET


class Standing(msgspec.Struct, frozen=True):
    """A task on this worker. `error` says why it is stopped as a whole: its topics cannot serve. `background` has the tasks of the worker's own that have failed and were started again, of all its tasks."""

    task: str
    kind: Kind
    logging: dict[str, Position]
    shards: list[ShardStanding]
    error: str | UnsetType = UNSET
    sources: dict[str, Json] | UnsetType = UNSET
    stored: dict[str, Position] | UnsetType = UNSET
    background: list[BackgroundStatus] | UnsetType = UNSET
