"""A prediction: what a model says before it has seen the label."""

from typing import Any

import msgspec

from learning.task import Label


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
