"""A prediction: the answer of a model to features whose label it has not seen."""

import math
from typing import Annotated

import msgspec

from headrace.learning.task import Json, Label


class Prediction(msgspec.Struct, frozen=True):
    """The answer of a model for one set of features.

    Parameters
    ----------
    value
        The predicted label; for a regression, the predicted number.
    probabilities
        The probability of each label, 0 to 1; None for a regression, and for a baseline whose probabilities nobody reads.

    Examples
    --------
    >>> Prediction.of_classes({False: 0.2, True: 0.8})
    Prediction(value=True, probabilities={False: 0.2, True: 0.8})
    """

    value: Label
    probabilities: dict[Label, float] | None = None

    @classmethod
    def of_classes(cls, probabilities: dict[Label, float]) -> "Prediction":
        """Make the prediction of a classifier: the most probable label, and the first of several with the same probability, as in River."""
        return cls(max(probabilities, key=probabilities.__getitem__), probabilities)

    def to_json(self) -> dict[str, Json]:
        """Return the prediction as a JSON object. JSON keys are strings, so the label True becomes the key `true`."""
        if self.probabilities is None:
            return {"prediction": self.value, "probabilities": None}
        named = {
            str(label).lower() if label is True or label is False else str(label): p
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
    if prediction.probabilities is None:
        return isinstance(prediction.value, str) or math.isfinite(prediction.value)
    return math.isfinite(prediction.probabilities[prediction.value])
