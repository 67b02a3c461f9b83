"""Segments: the scores of the champion for each value of a feature."""

from headrace.learning.metrics import ServedScores
from headrace.learning.tags import tagged
from headrace.learning.task import Json, Kind, Label, Task, Value

VALUES_MAX = 50
"""The values of a feature that are told apart, those that come first; all others are one."""

TEXT_MAX = 100

OTHERS = "(others)"
MISSING = "(missing)"


@tagged("segment/1")
class Segment:
    """Scores predictions for each value of one feature.

    Parameters
    ----------
    kind
        The kind of task.

    Attributes
    ----------
    scores
        The scores by value, as text: `(missing)` where a record lacks the feature, and `(others)` beyond 50 values.

    Examples
    --------
    >>> segment = Segment("binary")
    >>> for country, predicted in [("PT", True), ("PT", False), ("ES", True), (None, True)]:
    ...     segment.update(country, True, predicted)
    >>> {value: figures["accuracy"] for value, figures in segment.values().items()}
    {'PT': 0.5, 'ES': 1.0, '(missing)': 1.0}
    """

    def __init__(self, kind: Kind):
        self.kind = kind
        self.scores: dict[str, ServedScores] = {}

    def update(self, value: Value | None, label: Label, predicted: Label) -> None:
        """Score a prediction for a value of the feature."""
        self.of(MISSING if value is None else _text(value)).update(label, predicted)

    def of(self, value: str) -> ServedScores:
        """Return the scores of a value."""
        if value not in self.scores and len(self.scores) >= VALUES_MAX:
            value = OTHERS
        scores = self.scores.get(value)
        if scores is None:
            scores = self.scores[value] = ServedScores(self.kind)
        return scores

    def add(self, other: "Segment") -> None:
        """Count all predictions of another shard too."""
        for value, scores in other.scores.items():
            self.of(value).add(scores)

    def values(self) -> dict[str, Json]:
        """Return the figures of each value."""
        return {value: scores.values() for value, scores in self.scores.items()}


def segments_of(task: Task) -> dict[str, Segment]:
    """Make the segments of a task, by feature."""
    return {name: Segment(task.kind) for name in task.segments}


def _text(value: Value) -> str:
    return (str(value).lower() if isinstance(value, bool) else str(value))[:TEXT_MAX]
