"""The log loss of more than two classes."""

from math import log

from headrace.learning.metrics.tallies.probabilities import LEAST, MOST
from headrace.learning.metrics.tallies.tally import Tally, merge_means
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("label-loss/1")
class LabelLoss(Tally):
    """The mean log loss of the probability of the true label, for more than two classes. Merging is exact but for the rounding of floats.

    As in `river.metrics.CrossEntropy`, a label that the model did not know yet costs nothing.

    Examples
    --------
    >>> loss = LabelLoss()
    >>> loss.update("b", "b", 0.9)
    >>> round(loss.log, 6)
    0.105361
    """

    name = "label_loss"
    needs_probabilities = True

    def __init__(self) -> None:
        self.count = 0
        self.log = 0.0

    def update(self, label: Label, value: Label, p: float | None) -> None:  # noqa: ARG002
        """Count one prediction."""
        loss = 0.0 if p is None else -log(LEAST if p < LEAST else min(p, MOST))
        self.count += 1
        self.log += (1.0 / self.count) * (loss - self.log)

    def add(self, other: "LabelLoss") -> None:
        """Count all predictions of another tally too."""
        self.log = merge_means(self.count, self.log, other.count, other.log)
        self.count += other.count

    def view(self) -> "LabelLoss":
        """Return the tally itself."""
        return self
