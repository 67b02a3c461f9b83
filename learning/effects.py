"""Effects: the records that the fold publishes."""

from typing import Literal

import msgspec

from headrace.learning.codes import AlertCode, RefusalCode
from headrace.learning.prediction import Prediction
from headrace.learning.rings import RingName
from headrace.learning.signals import Direction, SignalKind
from headrace.learning.task import Label, Mode
from headrace.learning.versions import Version

ResolvedBy = Literal["label", "assumed", "self_trained", "expired"]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """A record to publish. Its `id`, `<task>/<partition>/<offset>/<row>/<n>`, is the same when it is published again after a crash."""

    id: str


class Predicted(Effect, frozen=True, kw_only=True):
    """The prediction of an arm for a sample, made before its label was learned, or for a question, whose `label` is None."""

    record: str | None
    arm: str
    prediction: Prediction | None
    label: Label | None


class Resolved(Effect, frozen=True, kw_only=True):
    """The end of a question, `delay_s` log seconds after it came; `how` says whether its label came, was assumed, or never came."""

    record: str
    how: ResolvedBy
    label: Label | None
    delay_s: float


class Drift(Effect, frozen=True, kw_only=True):
    """What a detector or a guard has noticed; see `headrace.learning.signals.Notice`. `kind` is `drift`, `oscillation`, `warning`, `guard` or `experiment`."""

    kind: SignalKind
    arm: str | None
    detector: str
    watched: str
    direction: Direction
    before: float
    after: float
    width_before: int
    width: int
    statistic: float | None
    threshold: float | None
    time: float


class Reacted(Effect, frozen=True, kw_only=True):
    """What a reaction did about the signal of an id, or would do, with the digests of the champion before and after."""

    signal: str
    reaction: str
    mode: Mode
    acted: bool
    did: str
    before: str
    after: str
    time: float


class Acted(Effect, frozen=True, kw_only=True):
    """A control record was carried out: the command, what it did, who asked for it, and the digests of the champion before and after."""

    control: str | None
    command: str
    did: str
    by: str
    before: str
    after: str
    time: float


class Saved(Effect, frozen=True, kw_only=True):
    """A version of the champion was saved; `version.digest` names the model's bytes in `<task>.versions`."""

    version: Version
    time: float


class ArmMeasured(msgspec.Struct, frozen=True):
    """The metrics of an arm at a point: over all `scored` predictions, and over the moving window; None while there is no finite figure."""

    scored: int
    metrics: dict[str, float | None]
    window: dict[str, float | None]


class Weighed(msgspec.Struct, frozen=True):
    """The evidence that a detector or a guard has for a change, and the threshold at which it raises an alarm.

    `arm` is None where the records are watched and not what an arm answers: the labels and the features.
    """

    arm: str | None
    detector: str
    watched: str
    statistic: float
    threshold: float


class ExperimentMeasured(msgspec.Struct, frozen=True):
    """An experiment at a point: the mean loss of `a` less that of `b` over `count` labels, and the bounds of this difference."""

    a: str
    b: str
    count: int
    difference: float
    low: float
    high: float


class Measured(Effect, frozen=True, kw_only=True):
    """A point of the history: the metrics of all arms after a record of the message at `position`, when `updates` labels had been learned.

    It is the point of a `number` in its `ring`, counted from 0; see `headrace.learning.rings`. Points of earlier releases have no evidence
    and no experiments.
    """

    ring: RingName
    number: int
    partition: int
    position: int
    updates: int
    time: float
    label_delay_s: dict[str, float | None]
    arms: dict[str, ArmMeasured]
    evidence: list[Weighed] = []
    experiments: list[ExperimentMeasured] = []


class Alert(Effect, frozen=True, kw_only=True):
    """A message for an operator; `code` is stable, `detail` is for people."""

    code: AlertCode
    detail: str
    time: float


class Quarantined(Effect, frozen=True, kw_only=True):
    """A refused record, whole, with the reason; it is published to `<task>.quarantine`."""

    code: RefusalCode
    reason: str
    offset: int
    row: int
    key: bytes | None
    value: bytes
