"""What a prediction request is answered with."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from headrace.learning.task import Label

Position = Annotated[int, msgspec.Meta(ge=0)]


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
