"""The answers of a worker over HTTP, for its views and for clients. This module does not import the web server."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from headrace.agents.background import BackgroundStatus
from headrace.agents.jobs.status import JobStatus
from headrace.learning.effects import ArmMeasured, ExperimentMeasured, Weighed
from headrace.learning.experiments import ExperimentStatus
from headrace.learning.metrics.overall import ArmFigures
from headrace.learning.metrics.regret import Regret
from headrace.learning.signals import Direction, SignalKind
from headrace.learning.task import Json, Kind, Label, Role, Value
from headrace.tables.refused import RefusedRecord

Position = Annotated[int, msgspec.Meta(ge=0)]

SHOWN_BYTES = 4_096
"""The bytes of a refused record that are shown. `headrace quarantine --export` writes the whole."""

ShardState = Literal["opening", "live", "waiting", "stopped", "stale", "replica"]
"""The states of a shard that a worker owns (`agents.shard.OwnedState`), `waiting` for a live one that waits at a control record, and `replica`
for a shard of which it has a replica."""


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


class ShardStatus(msgspec.Struct, frozen=True):
    """The status of a shard. A shard that is being opened has only `partition` and `state`.

    `absent` has the arms of saved versions that the shard has not, each with a sentence that says why and what to do.
    `end` is None while the broker does not tell it, and `digest` while the shard stands in the middle of a message, or takes too long
    to compute. `waits` says why a shard is `waiting`. `definition` is the one in force, and `wanted` has the keys in which the settings of
    this worker differ from it, with both values. `traffic` is the share of each arm that answers. `notice` says what was amiss when the shard was opened, and what was done. `state_bytes` and `seal_s` are the size of the
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


class Status(msgspec.Struct, frozen=True):
    """The status of a task on this worker.

    `answered` counts the questions that this worker has answered since it started. `error` says why the whole task is stopped: its topics cannot be used. `background` lists the background tasks of the worker, for all of
    its tasks, that have failed and were started again.
    """

    task: str
    kind: Kind
    partitions: int
    logging: dict[str, Position]
    shards: list[ShardStatus]
    overall: OverallStatus
    answered: Position = 0
    error: str | UnsetType = UNSET
    sources: dict[str, Json] | UnsetType = UNSET
    stored: dict[str, Position] | UnsetType = UNSET
    background: list[BackgroundStatus] | UnsetType = UNSET


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


class ArmAnswer(msgspec.Struct, frozen=True):
    """What an arm predicted when a question was folded; both are None if the arm was cold."""

    prediction: Label | None
    probabilities: dict[str, float] | None


class ServedAnswer(msgspec.Struct, frozen=True):
    """What a user was given for a question: the arm, its prediction, and the position of its model."""

    arm: str
    prediction: Label | None
    position: Position


class AskedQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """A logged question, as its shard keeps it.

    Parameters
    ----------
    id
        The id under which it was asked.
    partition, position
        The shard, and the offset of the question in the event log. The position is None if the log does not have it near `time`: retention
        has removed it, or the task folds by event time.
    time
        Log time at which it was folded, in seconds since the epoch.
    features
        Its features, as they are learned when the label comes.
    arms
        What each arm predicted when the question was folded: what its label is scored against. Empty if the label was there before.
    served
        What a user was given, if the question came through a worker.
    state
        `waiting` for its label, or `answered`.
    label
        The label that answered it. None while it waits, and where the event log does not have the label near its time.
    how
        How it was answered: by its `label`; or `forgotten`, if an `unlearn` has taken the question out, and the label was not learned.
    delay_s
        From the question to its label, in seconds of log time.
    kept_until
        The log time up to which the shard keeps it: `wait` after `time`.
    """

    id: str
    partition: Position
    position: Position | None
    time: float
    features: dict[str, Value]
    arms: dict[str, ArmAnswer]
    served: ServedAnswer | None
    state: Literal["waiting", "answered"]
    label: Label | None
    how: Literal["label", "forgotten"] | None
    delay_s: float | None
    kept_until: float


class StoredRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refused record, as `<task>.quarantine` has it.

    Parameters
    ----------
    id
        The id of its effect, unique in the task.
    topic, partition, offset, row
        The place where it stood: in the event log, or in a source of the task.
    stored_in, stored_at
        The partition and the offset at which the quarantine has it.
    code, reason
        Why it was refused, for programs and for people.
    time
        When the quarantine got it, in seconds since the epoch.
    key, value
        The key of its message, and its first 4,096 bytes, as text. A byte that is not UTF-8 is shown as U+FFFD.
    bytes
        How many bytes the record has.
    """

    id: str
    topic: str
    partition: Position
    offset: Position
    row: Position
    stored_in: Position
    stored_at: Position
    code: str
    reason: str
    time: float
    key: str | None
    value: str
    bytes: Position

    @classmethod
    def of(cls, record: RefusedRecord) -> "StoredRefusal":
        """Describe a record of the quarantine."""
        fields = msgspec.structs.asdict(record)
        parts = {name: fields[name] for name in cls.__struct_fields__ if name in fields}
        parts["key"] = None if record.key is None else record.key.decode(errors="replace")
        parts["value"] = record.value[:SHOWN_BYTES].decode(errors="replace")
        return cls(bytes=record.cut_from or len(record.value), **parts)


class SentAgain(msgspec.Struct, frozen=True):
    """How far refused records have been sent again and folded: those of one code from one partition of the quarantine, in one shard.

    Parameters
    ----------
    code
        Why the records had been refused.
    shard
        The shard that has folded them.
    stored_in, stored_at, row
        The last one that was folded. The shard skips this one and those before it.
    """

    code: str
    shard: Position
    stored_in: Position
    stored_at: Position
    row: Position


class StoredRefusals(msgspec.Struct, frozen=True):
    """The last refused records of a task.

    Parameters
    ----------
    counts
        How many of the newest `counted` records were refused for each reason.
    counted, kept
        How many records were counted, and how many the quarantine keeps. The counts are of all that are kept where the two are equal.
    records
        The last ones, newest first.
    sent_again
        How far records have been sent again with `headrace quarantine --replay`.
    """

    counts: dict[str, Position]
    counted: Position
    kept: Position
    records: list[StoredRefusal]
    sent_again: list[SentAgain]


class HistoryPoint(msgspec.Struct, frozen=True):
    """The metrics of a shard's arms, as they were at one moment.

    Parameters
    ----------
    partition, position
        The shard, and the offset of the message at which it was measured.
    time
        Log time in seconds since the epoch.
    updates
        Labels that the shard had learned.
    label_delay_s
        Quantiles of the last label delays, in seconds of log time; None before the first label of a question.
    arms
        The metrics of each arm.
    evidence
        The evidence of each detector and guard that computes one, against its threshold.
    experiments
        The bounds of each experiment that had compared a label. Both lists are empty in points of earlier releases.
    """

    partition: Position
    time: float
    position: Position
    updates: Position
    label_delay_s: dict[str, float | None]
    arms: dict[str, ArmMeasured]
    evidence: list[Weighed] = []
    experiments: list[ExperimentMeasured] = []


class HistoryPoints(msgspec.Struct, frozen=True):
    """The points of a task's shards, by partition and oldest first."""

    points: list[HistoryPoint]


class Done(msgspec.Struct, frozen=True):
    """What one shard has done with a control record.

    Parameters
    ----------
    partition, position
        The shard, and the offset of the record; None to those who ask later.
    did
        What it did; begins with `refused: ` where it did nothing; None while it has not come to it.
    repeated
        Whether the shard knew the id when the worker was asked: then the record has no effect, and `did` is what the first one did.
    """

    partition: Position
    position: Position | None
    did: str | None
    repeated: bool = False


class Controlled(msgspec.Struct, frozen=True):
    """A control record: its id, and what each shard has done with it."""

    id: str
    shards: list[Done]
