"""A prediction: what a model says before it has seen the label."""

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
