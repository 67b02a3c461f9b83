"""What the predictions have cost, in a task that says what errors cost."""

from collections.abc import Mapping, Sequence
from math import fsum

from headrace.learning.metrics.tallies.tally import Tally
from headrace.learning.tags import tagged
from headrace.learning.task import Cost, Label, cost_of, cost_table


@tagged("costs/1")
class Costs(Tally):
    """Adds up what each prediction costs. Only tasks with `costs` have it. Merging is exact but for the rounding of floats.

    Parameters
    ----------
    costs
        The costs of the task.

    Examples
    --------
    >>> costs = Costs([Cost(label="fraud", predicted="ok", cost=20.0)])
    >>> for label, value in [("fraud", "ok"), ("ok", "fraud"), ("ok", "ok")]:
    ...     costs.update(label, value)
    >>> costs.total, costs.count
    (21.0, 3)
    """

    name = "costs"

    def __init__(self, costs: Sequence[Cost]):
        self.costs = cost_table(costs)
        self.count = 0
        self.total = 0.0

    def exact(self) -> "Costs":
        """Return a new tally with the same costs."""
        fresh = Costs([])
        fresh.costs = {predicted: dict(row) for predicted, row in self.costs.items()}
        return fresh

    def update(self, label: Label, value: Label, p: float | None = None) -> None:  # noqa: ARG002
        """Count one prediction."""
        self.count += 1
        self.total += cost_of(self.costs, value, label)

    def count_all(self, counts: Mapping[Label, Mapping[Label, int]]) -> None:
        """Begin with the predictions of a confusion table, by label and predicted label."""
        self.count = sum(count for row in counts.values() for count in row.values())
        self.total = fsum(
            count * cost_of(self.costs, value, label) for label, row in counts.items() for value, count in row.items()
        )

    def add(self, other: "Costs") -> None:
        """Count all predictions of another tally too."""
        self.count += other.count
        self.total += other.total

    def view(self) -> "Costs":
        """Return the tally itself."""
        return self
