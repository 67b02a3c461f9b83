"""The confusion table: how often each label met each predicted label."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from headrace.learning.metrics.tallies.tally import Tally
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label


class Table(NamedTuple):
    """A confusion table with its margins.

    Parameters
    ----------
    counts
        How often each pair of a label and a predicted label came; pairs that never came are missing.
    labels, predicted, right
        How often each label came, how often it was predicted, and how often both at once.
    classes
        The labels that came or were predicted.
    total
        The number of predictions.
    """

    counts: Mapping[tuple[Label, Label], int]
    labels: Counter[Label]
    predicted: Counter[Label]
    right: Counter[Label]
    classes: frozenset[Label]
    total: int

    def precision(self, label: Label) -> float:
        """Return the share of right predictions among those of a label; 0 if it was never predicted."""
        return self.right[label] / self.predicted[label] if self.predicted[label] else 0.0

    def recall(self, label: Label) -> float:
        """Return the share of a label's predictions that were right; 0 if it never came."""
        return self.right[label] / self.labels[label] if self.labels[label] else 0.0


@tagged("confusion/1", counts=dict[tuple[Label, Label], Count])
class Confusion(Tally):
    """Counts the pairs of label and predicted label. It is sparse: only pairs that came have a count. Merging is exact.

    Examples
    --------
    >>> confusion = Confusion()
    >>> for label, value in [("a", "a"), ("a", "b"), ("b", "b")]:
    ...     confusion.update(label, value)
    >>> table = confusion.view()
    >>> table.counts["a", "b"], table.precision("b"), table.recall("b")
    (1, 0.5, 1.0)
    """

    name = "confusion"

    def __init__(self) -> None:
        self.counts: dict[tuple[Label, Label], int] = {}

    def update(self, label: Label, value: Label, p: float | None = None) -> None:  # noqa: ARG002
        """Count one prediction."""
        pair = label, value
        counts = self.counts
        counts[pair] = counts[pair] + 1 if pair in counts else 1

    def add(self, other: "Confusion") -> None:
        """Count all predictions of another table too."""
        for pair, count in other.counts.items():
            self.counts[pair] = self.counts.get(pair, 0) + count

    def view(self) -> Table:
        """Return the table with its margins."""
        labels, predicted, right = Counter[Label](), Counter[Label](), Counter[Label]()
        for (label, value), count in self.counts.items():
            labels[label] += count
            predicted[value] += count
            if label == value:
                right[label] += count
        return Table(self.counts, labels, predicted, right, frozenset(labels | predicted), labels.total())
