"""Effects: the records that the fold publishes."""

from typing import Literal

import msgspec

from headrace.learning.codes import AlertCode, RefusalCode
from headrace.learning.prediction import Prediction
from headrace.learning.task import Label
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
    """A drift of an arm's error that a detector saw: the mean error and the window width before the change and after it."""

    arm: str
    detector: str
    before: float
    after: float
    width_before: float
    width: float
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
