"""Effects: what the fold wants told outside."""

from typing import Literal

import msgspec

from headrace.learning.codes import AlertCode, RefusalCode
from headrace.learning.prediction import Prediction
from headrace.learning.task import Label

How = Literal["label", "assumed", "self_trained", "expired"]


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Something to tell outside. `id` is `<task>/<partition>/<offset>/<row>/<n>`: equal when told again after a crash."""

    id: str


class Predicted(Effect, frozen=True, kw_only=True):
    """What an arm said of a sample before it learned the label, or of a question, whose label is None: it is to come."""

    record: str | None
    arm: str
    prediction: Prediction | None
    label: Label | None


class Resolved(Effect, frozen=True, kw_only=True):
    """What became of a question, `delay_s` log seconds later: its `label` came, was `assumed` or `self_trained`, or it `expired`."""

    record: str
    how: How
    label: Label | None
    delay_s: float


class Drift(Effect, frozen=True, kw_only=True):
    """A detector saw the champion's error change: its mean and window width before and after the cut."""

    arm: str
    detector: str
    before: float
    after: float
    width_before: float
    width: float
    time: float


class Alert(Effect, frozen=True, kw_only=True):
    """Something an operator should know; `code` is stable, `detail` is for people."""

    code: AlertCode
    detail: str
    time: float


class Quarantined(Effect, frozen=True, kw_only=True):
    """A record that must not reach a model, whole, with the reason."""

    code: RefusalCode
    reason: str
    offset: int
    row: int
    key: bytes | None
    value: bytes
