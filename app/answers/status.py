"""The status of a task."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from headrace.agents.background import BackgroundStatus
from headrace.agents.feature_changes import FeatureChange
from headrace.agents.jobs.status import JobStatus
from headrace.app.answers.answer import Position
from headrace.learning.metrics.overall import ArmFigures
from headrace.learning.metrics.regret import Regret
from headrace.learning.task import Json, Kind, Role

ShardState = Literal["opening", "live", "waiting", "stopped", "stale", "replica"]
"""The states of a shard that a worker owns (`agents.shard.OwnedState`), `waiting` for a live one that waits at a control record, and `replica`
for a shard of which it has a replica."""


class ArmStatus(msgspec.Struct, frozen=True):
    """One arm: what it is, and its metrics; None while there is no finite figure.

    Parameters
    ----------
    version
        The id of the version that the model comes from; None before the first one.
    updates
        Labels that the model has learned.
    threshold
        The probability from which on true is predicted, if the task has a `threshold`.
    digest
        SHA-256 of the model alone: equal models have equal digests. None while it takes too long to compute.
    made_of
        What the model was made of, with its parameters, as in a task's `model`.
    """

    role: Role
    model: str
    version: str | None
    updates: Position
    metrics: dict[str, Json]
    threshold: float | None = None
    digest: str | None = None
    made_of: Json = None


class Waits(msgspec.Struct, frozen=True, rename={"why": "for"}):
    """Why a shard waits at a control record, while it goes on to answer.

    Parameters
    ----------
    why
        `outcome`: a job makes the model that is to be installed there; `resume`: it was paused.
    id
        Of the job, or of the control record that paused it.
    seconds
        For how long.
    """

    why: Literal["outcome", "resume"]
    id: str
    seconds: float


class InForce(msgspec.Struct, frozen=True):
    """The definition by which a shard is folded: its SHA-256, the offset of the record that it is from, None before there is one, and its keys."""

    fingerprint: str
    position: Position | None
    task: dict[str, Json]


class MirrorStatus(msgspec.Struct, frozen=True):
    """How the copying of a shard's saved versions to the mirror goes, on the worker that owns the shard.

    Parameters
    ----------
    copied, waiting
        Versions that this worker has copied, and those that are still to be copied.
    missed
        Versions that were dropped before they were copied.
    failures, error
        How often a copy has failed, and why the last one did; None since one has succeeded. It is tried again.
    """

    copied: Position
    waiting: Position
    missed: Position
    failures: Position
    error: str | None


class PlacementStatus(msgspec.Struct, frozen=True):
    """Whether the messages of a shard lie where their keys belong, by a sample of those that its owner has folded.

    Parameters
    ----------
    since
        When this worker began to look, in seconds since the epoch.
    looked_at, misplaced
        The keys that were looked at, and those of them that Kafka's default partitioner, murmur2, puts into another shard.
    by_crc32
        Those of the misplaced ones that lie where librdkafka's default partitioner puts them.
    """

    since: float
    looked_at: Position
    misplaced: Position
    by_crc32: Position


class ShardStatus(msgspec.Struct, frozen=True):
    """The status of a shard. A shard that is being opened has only `partition` and `state`.

    `absent` has the arms of saved versions that the shard has not, each with a sentence that says why and what to do.
    `end` is None while the broker does not tell it, and `digest` while the shard stands in the middle of a message, or takes too long
    to compute. `waits` says why a shard is `waiting`. `definition` is the one in force, and `wanted` has the keys in which the settings of
    this worker differ from it, with both values. `traffic` is the share of each arm that answers. `notice` says what was amiss when the shard was opened, and what was done. `state_bytes` and `seal_s` are the size of the
    last snapshot before compression, and the seconds that it took to make. `placement` is there if the task has several shards, and `changes` if
    features of the last samples have come, gone or changed their type. `begun_at` is the log time of the first record, in seconds since
    the epoch; None before it.
    """

    partition: Position
    state: ShardState
    error: str | UnsetType = UNSET
    notice: str | UnsetType = UNSET
    state_bytes: Position | UnsetType = UNSET
    seal_s: float | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    begun_at: float | UnsetType | None = UNSET
    end: Position | UnsetType | None = UNSET
    staleness_s: float | UnsetType = UNSET
    updates: Position | UnsetType = UNSET
    quarantined: Position | UnsetType = UNSET
    skipped: Position | UnsetType = UNSET
    questions: dict[str, Json] | UnsetType = UNSET
    served: dict[str, Json] | UnsetType = UNSET
    traffic: dict[str, float] | UnsetType = UNSET
    order: dict[str, Position] | UnsetType = UNSET
    batch: dict[str, Position] | UnsetType = UNSET
    digest: str | UnsetType | None = UNSET
    arms: dict[str, ArmStatus] | UnsetType = UNSET
    absent: dict[str, str] | UnsetType = UNSET
    waits: Waits | UnsetType = UNSET
    definition: InForce | UnsetType = UNSET
    wanted: dict[str, tuple[Json, Json]] | UnsetType = UNSET
    jobs: list[JobStatus] | UnsetType = UNSET
    mirror: MirrorStatus | UnsetType = UNSET
    placement: PlacementStatus | UnsetType = UNSET
    changes: list[FeatureChange] | UnsetType = UNSET


class OverallStatus(msgspec.Struct, frozen=True):
    """The figures of a task over all shards that this worker owns or has a replica of: every worker has a replica of each shard that it does not own.

    Parameters
    ----------
    shards
        The shards that are counted, each as far as its `position` in `shards` of the status. One without a model here is missing.
    arms
        The figures of each arm, over the shards that have an arm of that name.
    served
        The figures of the predictions that users were served.
    regret
        How much worse the champion has answered than the best arm; None before its first score.
    segments
        For each feature of the setting `segments`, the figures of the champion for each of its values.
    """

    shards: list[Position]
    arms: dict[str, ArmFigures]
    served: dict[str, Json]
    regret: Regret | None = None
    segments: dict[str, dict[str, Json]] = {}


class QuarantinedStatus(msgspec.Struct, frozen=True):
    """The records that this worker has sent to the quarantine, since when in seconds since the epoch, by code."""

    since: float
    codes: dict[str, Position]


class Status(msgspec.Struct, frozen=True):
    """The status of a task on this worker.

    `settings` are those of the task in this worker's `headrace.toml`: the keys of its definition, `partitions`, `columns` and `stored`.
    `answered` counts the questions that this worker has answered since it started. `error` says why the whole task is stopped: its topics cannot be used. `quarantined` counts what this
    worker has refused since it started, from the event log and from sources; that of a shard counts all that its log held. `background` lists the background tasks of the worker, for all of
    its tasks, that have failed and were started again.
    """

    task: str
    kind: Kind
    partitions: int
    logging: dict[str, Position]
    shards: list[ShardStatus]
    overall: OverallStatus
    answered: Position = 0
    settings: dict[str, Json] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    sources: dict[str, Json] | UnsetType = UNSET
    stored: dict[str, Position] | UnsetType = UNSET
    quarantined: QuarantinedStatus | UnsetType = UNSET
    background: list[BackgroundStatus] | UnsetType = UNSET
