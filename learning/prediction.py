"""A prediction: what a model says before it has seen the label."""

import math
from typing import Annotated, Any

import msgspec

from headrace.learning.task import Label


class Prediction(msgspec.Struct, frozen=True):
    """One answer of a model.

    Parameters
    ----------
    value
        The predicted label, or the number for a regression.
    probabilities
        Label to probability, for classes; None for a regression.

    Examples
    --------
    >>> Prediction.of_classes({False: 0.2, True: 0.8})
    Prediction(value=True, probabilities={False: 0.2, True: 0.8})
    """

    value: Label
    probabilities: dict[Label, float] | None = None

    @classmethod
    def of_classes(cls, probabilities: dict[Label, float]) -> "Prediction":
        """The most probable label; the first one wins a tie, as in River."""
        return cls(max(probabilities, key=probabilities.__getitem__), probabilities)

    def told(self) -> dict[str, Any]:
        """This prediction as JSON has it: the keys of an object are strings, so `true` stands for True."""
        if self.probabilities is None:
            return {"prediction": self.value, "probabilities": None}
        named = {
            str(label).lower() if label is True or label is False else str(label): p
            for label, p in self.probabilities.items()
        }
        return {"prediction": self.value, "probabilities": named}


class Served(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user was really told, when a question was answered by the prediction endpoint: by which arm, at which position."""

    arm: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    prediction: Label | None
    position: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


def is_finite(prediction: Prediction) -> bool:
    """Whether a prediction is made of finite numbers."""
    if prediction.probabilities is None:
        return math.isfinite(prediction.value)  # type: ignore[arg-type]
    return math.isfinite(prediction.probabilities[prediction.value])
