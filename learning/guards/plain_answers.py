"""Answers that need no features: the last label, and the usual one."""

from collections.abc import Sequence

from headrace.learning.prediction import Prediction, number
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Kind, Label


@tagged("plain-answers/1", counts=dict[bool | int | float | str, Count], latest=bool | int | float | str | None)
class PlainAnswers:
    """Predicts the last label, and the most frequent one; for a regression, the mean of all labels.

    Parameters
    ----------
    kind
        The kind of task.

    Attributes
    ----------
    latest
        The last label; None before the first one.
    counts
        How often each label came, for classes.
    sum, count
        Of the labels of a regression.

    Examples
    --------
    >>> answers = PlainAnswers("multiclass")
    >>> answers.update(("a", "b", "b", "a", "b", "a", "b", "a", "a"))
    >>> answers.usual
    Prediction(value='a', probabilities={'a': 0.5555555555555556, 'b': 0.4444444444444444})
    """

    def __init__(self, kind: Kind):
        self.kind = kind
        self.latest: Label | None = None
        self.counts: dict[Label, int] = {}
        self.sum = 0.0
        self.count = 0

    def update(self, labels: Sequence[Label]) -> None:
        """Note labels, in their order."""
        if not labels:
            return
        self.latest = labels[-1]
        self.count += len(labels)
        if self.kind == "regression":
            for label in labels:
                self.sum += number(label)
        else:
            for label in labels:
                self.counts[label] = self.counts.get(label, 0) + 1

    @property
    def last(self) -> Prediction | None:
        """The answer "as the last time"; None before the first label."""
        if self.latest is None:
            return None
        return Prediction(self.latest, None if self.kind == "regression" else {self.latest: 1.0})

    @property
    def usual(self) -> Prediction | None:
        """The answer "as usual"; None before the first label."""
        if self.latest is None:
            return None
        if self.kind == "regression":
            return Prediction(self.sum / self.count)
        usual = max(self.counts, key=self.counts.__getitem__)
        return Prediction(usual, {label: times / self.count for label, times in self.counts.items()})
