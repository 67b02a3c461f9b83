"""A question of the past, found by its id."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from headrace.app.answers.answer import Position
from headrace.learning.task import Label, Value


class ArmAnswer(msgspec.Struct, frozen=True):
    """What an arm predicted when a question was folded; both are None if the arm was cold. Of an anomaly task: with the score."""

    prediction: Label | None
    probabilities: dict[str, float] | None
    score: float | UnsetType = UNSET


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
