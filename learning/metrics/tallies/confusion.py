"""The confusion table: how often each label met each predicted label."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from headrace.learning.metrics.tallies.tally import Scored, Tally
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label


class Table(NamedTuple):
    """A confusion table with its margins.

    Parameters
    ----------
    counts
        By label and predicted label, how often the two came together; pairs that never came are missing.
    labels, predicted, right
        How often each label came, how often it was predicted, and how often both at once.
    classes
        The labels that came or were predicted.
    total
        The number of predictions.
    """

    counts: Mapping[Label, Mapping[Label, int]]
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


@tagged("confusion/1", counts=dict[Label, dict[Label, Count]])
class Confusion(Tally):
    """Counts the pairs of label and predicted label. It is sparse: only pairs that came have a count. Merging is exact.

    Examples
    --------
    >>> confusion = Confusion()
    >>> for label, value in [("a", "a"), ("a", "b"), ("b", "b")]:
    ...     confusion.update(label, value)
    >>> table = confusion.view()
    >>> table.counts["a"]["b"], table.precision("b"), table.recall("b")
    (1, 0.5, 1.0)
    """

    name = "confusion"

    def __init__(self) -> None:
        self.counts: dict[Label, dict[Label, int]] = {}

    def update(self, label: Label, value: Label, p: float | None = None) -> None:  # noqa: ARG002
        """Count one prediction."""
        try:
            self.counts[label][value] += 1
        except KeyError:  # the first time
            self.count(label, value, 1)

    def update_many(self, scored: Iterable[Scored]) -> None:
        """Count many predictions."""
        for (label, value), count in Counter((label, value) for label, value, _ in scored).items():
            self.count(label, value, count)

    def count(self, label: Label, value: Label, count: int) -> None:
        """Count some predictions at once, at least one."""
        row = self.counts.setdefault(label, {})
        row[value] = row.get(value, 0) + count

    def add(self, other: "Confusion") -> None:
        """Count all predictions of another table too."""
        for label, row in other.counts.items():
            for value, count in row.items():
                self.count(label, value, count)

    def view(self) -> Table:
        """Return the table with its margins."""
        labels = Counter({label: sum(row.values()) for label, row in self.counts.items()})
        right = Counter({label: row[label] for label, row in self.counts.items() if label in row})
        predicted = Counter[Label]()
        for row in self.counts.values():
            predicted.update(row)
        return Table(self.counts, labels, predicted, right, frozenset(labels | predicted), labels.total())
