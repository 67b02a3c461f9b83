"""Weights of classes: a record is learned as often as its class weighs, and the probabilities are corrected for it."""

from math import fsum, isfinite
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.learning.prediction import Prediction
from headrace.learning.tags import Count, tagged
from headrace.learning.task import BALANCED, WEIGHT_MAX, Label, Weight, name_label

Part = Annotated[float, Meta(ge=0, lt=1)]
"""A part of a record that is due."""


@tagged(
    "weighting/1",
    weights=dict[str, Weight] | None,
    seen=dict[Label, Count],
    learned=dict[Label, Count],
    due=dict[Label, Part],
)
class Weighting:
    """Says how often each record is learned, by the weight of its class, evenly and without chance. It serves every model, since none has to know of weights.

    A class of the weight 2.5 is learned twice and three times in turn, and one of the weight 0.1 every tenth time; the first record of a class
    is always learned. A balanced class weighs n / (k m) if m of the n records of k classes so far are its own, and at most `WEIGHT_MAX`:
    all classes are then learned about equally often, and no more records than there are.

    Parameters
    ----------
    weights
        `"balanced"`, or the weight of each label, by its name; of one that is not named it is 1.

    Attributes
    ----------
    seen, learned
        By label, how many records have come, and how often one was learned.
    due
        By label, the part of the next record that is due.

    Examples
    --------
    >>> weighting = Weighting({"true": 2.5})
    >>> [weighting.times(label) for label in (True, False, True, True)]
    [2, 1, 3, 2]
    >>> balanced = Weighting("balanced")
    >>> [balanced.times(label) for label in "aaaabaaa"]
    [1, 1, 1, 1, 2, 0, 1, 0]

    References
    ----------
    `class_weight` of scikit-learn. Correction of the probabilities: Elkan, "The foundations of cost-sensitive learning", 2001, theorem 2.
    """

    def __init__(self, weights: str | dict[str, float]):
        self.weights = None if isinstance(weights, str) else weights
        self.seen: dict[Label, int] = {}
        self.learned: dict[Label, int] = {}
        self.due: dict[Label, float] = {}

    @classmethod
    def of_text(cls, text: str) -> "Weighting":
        """Make the weighting that a model is made with; msgspec.ValidationError if it is none."""
        return cls(text if text == BALANCED else msgspec.json.decode(text, type=dict[str, Weight]))

    def times(self, label: Label) -> int:
        """Count a record with this label, the next one, and tell how often it is learned."""
        is_first = label not in self.seen
        self.seen[label] = self.seen.get(label, 0) + 1
        due = self.due.get(label, 0.0) + self._weight(label)
        times = max(1, int(due)) if is_first else int(due)
        self.due[label] = max(0.0, due - times)
        self.learned[label] = self.learned.get(label, 0) + times
        return times

    def correct_prediction(self, prediction: Prediction) -> Prediction:
        """Return the label that the model predicts, which goes by the weights, with the probabilities among the records as they come."""
        return Prediction(prediction.value, self.correct(prediction.probabilities or {}))

    def correct(self, probabilities: dict[Label, float]) -> dict[Label, float]:
        """Return the probabilities among the records as they come, from those of a model which has learned them by their weight.

        Examples
        --------
        >>> weighting = Weighting({"true": 4.0})
        >>> for label in (True, False):
        ...     times = weighting.times(label)
        >>> weighting.correct({False: 0.5, True: 0.5})
        {False: 0.8, True: 0.2}
        """
        seen, learned = self.seen, self.learned
        shares = {
            label: p * (seen[label] / learned[label]) if label in learned else p for label, p in probabilities.items()
        }
        if not all(map(isfinite, shares.values())) or (total := fsum(shares.values())) <= 0.0:
            return probabilities
        return {label: share / total for label, share in shares.items()}

    def _weight(self, label: Label) -> float:
        if self.weights is not None:
            return self.weights.get(name_label(label), 1.0)
        return min(sum(self.seen.values()) / (len(self.seen) * self.seen[label]), WEIGHT_MAX)
