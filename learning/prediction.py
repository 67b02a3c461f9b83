"""A prediction: the answer of a model to features whose label it has not seen."""

import math
from typing import Annotated

import msgspec

from headrace.learning.task import Json, Label

Frozen = tuple[Label, dict[Label, float] | float | None]
"""A prediction as a question keeps it."""


class Prediction(msgspec.Struct, frozen=True):
    """The answer of a model for one set of features.

    Parameters
    ----------
    value
        The predicted label; for a regression, the predicted number; for an anomaly task, whether the record is an anomaly by the task's
        `threshold`, and without one the score.
    probabilities
        The probability of each label, 0 to 1; None for a regression or an anomaly task, and for a baseline whose probabilities nobody reads.
    score
        For an anomaly task: how strange the record is. None for all others.

    Examples
    --------
    >>> Prediction.of_classes({False: 0.2, True: 0.8})
    Prediction(value=True, probabilities={False: 0.2, True: 0.8}, score=None)
    """

    value: Label
    probabilities: dict[Label, float] | None = None
    score: float | None = None

    @classmethod
    def of_classes(cls, probabilities: dict[Label, float]) -> "Prediction":
        """Make the prediction of a classifier: the most probable label, and the first of several with the same probability, as in River."""
        return cls(max(probabilities, key=probabilities.__getitem__), probabilities)

    @classmethod
    def thaw(cls, frozen: Frozen) -> "Prediction":
        """Make the prediction that was frozen."""
        value, more = frozen
        return cls(value, more) if more is None or isinstance(more, dict) else cls(value, score=more)

    def freeze(self) -> Frozen:
        """Return what a question keeps of the prediction until its label comes: the value, and the probabilities or the score.

        Examples
        --------
        >>> Prediction.thaw(Prediction(True, score=0.9).freeze())
        Prediction(value=True, probabilities=None, score=0.9)
        """
        return self.value, self.probabilities if self.score is None else self.score

    def to_json(self) -> dict[str, Json]:
        """Return the prediction as a JSON object. JSON keys are strings, so the label True becomes the key `true`."""
        if self.score is not None:
            return {"prediction": self.value, "probabilities": None, "score": self.score}
        if self.probabilities is None:
            return {"prediction": self.value, "probabilities": None}
        named = {
            "true" if label is True else "false" if label is False else str(label): p
            for label, p in self.probabilities.items()
        }
        return {"prediction": self.value, "probabilities": named}


class Served(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer that the prediction endpoint served for a question, with the arm that gave it and the arm's position."""

    arm: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    prediction: Label | None
    position: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def number(value: Label) -> float:
    """Return the label or the prediction of a regression, which is always a number."""
    assert not isinstance(value, str)
    return value


def is_finite(prediction: Prediction) -> bool:
    """Return whether all numbers that decide a prediction are finite."""
    if prediction.score is not None:
        return math.isfinite(prediction.score)
    if prediction.probabilities is None:
        return isinstance(prediction.value, str) or math.isfinite(prediction.value)
    return math.isfinite(prediction.probabilities[prediction.value])
