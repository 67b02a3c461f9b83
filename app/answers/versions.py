"""The versions of a task."""

import msgspec

from headrace.app.answers.answer import Position
from headrace.learning.task import Json


class StoredVersion(msgspec.Struct, frozen=True):
    """A model of a shard that was saved, and to which the shard can go back.

    Parameters
    ----------
    id
        Its id, unique in the task.
    partition, position
        The shard, and the offset of the message in which it was saved.
    updates
        Labels that it had learned.
    digest
        SHA-256 of the model: the digest of an arm that has it.
    model
        The catalogue name or `module:function` of the model.
    reason
        Why it was saved: `updates`, `checkpoint`, or before the act of this name.
    parent
        The id of the version that it comes from; None for the first.
    pinned
        Whether it is kept for good.
    current
        Whether the champion comes from it.
    metrics
        Of the arm when it was saved.
    error
        The arm's recent error then: 1 - accuracy, or the mean absolute error; None before the first score. `best` and `last_good` go by it.
    time
        Log time in seconds since the epoch.
    made_of
        What the model was made of, with its parameters, as in a task's `model`.
    """

    id: str
    partition: Position
    position: Position
    updates: Position
    digest: str
    model: str
    reason: str
    parent: str | None
    pinned: bool
    current: bool
    metrics: dict[str, float | None]
    error: float | None
    time: float
    made_of: Json


class StoredVersions(msgspec.Struct, frozen=True):
    """The versions of a task's shards, oldest first."""

    versions: list[StoredVersion]
