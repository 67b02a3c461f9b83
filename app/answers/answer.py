"""The answers to prediction requests, and the log positions of appended records."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from headrace.learning.task import Label

Position = Annotated[int, msgspec.Meta(ge=0)]
"""A position in a partition."""


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
        The most likely label, or the number; None while the model is cold. Of an anomaly task: with a `threshold`, whether it is an anomaly,
        and without one the score.
    probabilities
        The probability of each class seen so far, by its name; None for a regression or an anomaly task, and while the model is cold.
    score
        Of an anomaly task alone: how strange the features are, 0 to 1 for the models of the catalogue; None while the model is cold.
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
    score: float | UnsetType | None = UNSET
    logged: At | bool | UnsetType = UNSET
