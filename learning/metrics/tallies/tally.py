"""The base class of tallies."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from headrace.learning.task import Label

Scored = tuple[Label, Label, float | None]
"""A label, the predicted label, and a probability: of true for two classes, of the label for more."""


class Tally(ABC):
    """Counts or sums of scored predictions. Several metrics are read from one tally, so each prediction is counted once for all of them.

    Attributes
    ----------
    name
        The name of the tally in a state.
    needs_probabilities
        Whether it counts probabilities, which the predictions that users were served do not have.
    """

    name: ClassVar[str]
    needs_probabilities: ClassVar[bool] = False

    def exact(self) -> "Tally":
        """Return a new tally that rounds nothing, for as few predictions as a window has; its view is like this one's."""
        return type(self)()

    @abstractmethod
    def update(self, label: Label, value: Label, p: float | None) -> None:
        """Count one prediction.

        Parameters
        ----------
        label
            The true label.
        value
            The predicted label.
        p
            The probability of True in a binary task, of the true label in a multiclass task, 0 to 1; None if the prediction has none.
        """

    def update_many(self, scored: Iterable[Scored]) -> None:
        """Count many predictions, each with its label, the predicted label and p."""
        for label, value, p in scored:
            self.update(label, value, p)

    @abstractmethod
    def add(self, other: Any) -> None:
        """Count all predictions of another tally of this class too."""

    @abstractmethod
    def view(self) -> Any:
        """Return what the metrics of this tally read. It is computed once for all of them, and changes nothing."""


def merge_means(count: int, mean: float, other_count: int, other_mean: float) -> float:
    """Return the mean of two parts of a series from the means of the parts; exact but for the rounding of floats, and if a part is empty.

    Examples
    --------
    >>> merge_means(2, 1.5, 4, 3.0)
    2.5
    """
    if not count or not other_count:
        return mean if count else other_mean
    return (count * mean + other_count * other_mean) / (count + other_count)
