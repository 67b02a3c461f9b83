"""The losses of probabilities, as running means."""

from math import log

from headrace.learning.metrics.tallies.tally import Tally, merge_means
from headrace.learning.tags import tagged
from headrace.learning.task import Label

LEAST, MOST = 1e-15, 1 - 1e-15  # River's bounds: a probability of 0 must not cost infinitely much


@tagged("probability-losses/1")
class ProbabilityLosses(Tally):
    """The mean log loss and the mean squared error of the probability of True. Merging is exact but for the rounding of floats.

    The means are River's running means, to the last bit: `river.stats.Mean`.

    Examples
    --------
    >>> losses = ProbabilityLosses()
    >>> losses.update(True, True, 0.9)
    >>> round(losses.log, 6), round(losses.squared, 6)
    (0.105361, 0.01)
    """

    name = "probability_losses"
    needs_probabilities = True

    def __init__(self) -> None:
        self.count = 0
        self.log = 0.0
        self.squared = 0.0

    def update(self, label: Label, value: Label, p: float | None) -> None:  # noqa: ARG002
        """Count one prediction; a missing probability is 0."""
        if p is None:
            p = 0.0
        held = LEAST if p < LEAST else min(p, MOST)
        error = 1.0 - p if label else p
        self.count += 1
        share = 1.0 / self.count
        self.log += share * (-log(held if label else 1 - held) - self.log)
        self.squared += share * (error * error - self.squared)

    def add(self, other: "ProbabilityLosses") -> None:
        """Count all predictions of another tally too."""
        self.log = merge_means(self.count, self.log, other.count, other.log)
        self.squared = merge_means(self.count, self.squared, other.count, other.squared)
        self.count += other.count

    def view(self) -> "ProbabilityLosses":
        """Return the tally itself."""
        return self


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
