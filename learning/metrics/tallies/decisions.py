"""The decisions of a task of anomalies: the confusion table of what was an anomaly and what was said to be one."""

from collections.abc import Iterable

from headrace.learning.metrics.tallies.confusion import Confusion
from headrace.learning.metrics.tallies.tally import Scored
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label


@tagged("decisions/1", counts=dict[bool, dict[bool, Count]])
class Decisions(Confusion):
    """Counts the pairs of label and decision. A score without a threshold decides nothing, and is not counted.

    Examples
    --------
    >>> decisions = Decisions()
    >>> for label, value in [(True, True), (False, True), (True, 0.93)]:
    ...     decisions.update(label, value)
    >>> decisions.view().total
    2
    """

    name = "decisions"

    def update(self, label: Label, value: Label, p: float | None = None) -> None:
        """Count one prediction, if it is a decision."""
        if isinstance(value, bool):
            super().update(label, value, p)

    def update_many(self, scored: Iterable[Scored]) -> None:
        """Count the decisions among many predictions."""
        super().update_many(one for one in scored if isinstance(one[1], bool))
