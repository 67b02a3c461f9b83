"""Segments: the scores of the champion for each value of a feature."""

import hashlib
import json
from collections.abc import Iterable

from headrace.learning.metrics import ServedScores
from headrace.learning.tags import tagged
from headrace.learning.task import Json, Kind, Label, Task, Value

VALUES_MAX = 50
"""The values of a feature that are told apart, those that come first; all others are one."""

TEXT_MAX = 100
"""A longer string is told by its beginning and a hash of the whole."""

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
        The scores by value, as text: `(missing)` where a record lacks the feature, and `(others)` beyond 50 values. A string that could be taken
        for one of these, for a number or for true or false is in quotes.

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

    def values(self) -> dict[str, Json]:
        """Return the figures of each value."""
        return {value: scores.values() for value, scores in self.scores.items()}


def merge_segments(kind: Kind, segments: Iterable[Segment]) -> Segment:
    """Add up the scores of several shards. A value that not every shard has told apart is one of the others, so that the figures of the rest are of all shards.

    Examples
    --------
    >>> first, second = Segment("binary"), Segment("binary")
    >>> for number in range(60):
    ...     first.update(number, True, True)
    >>> for number in range(40, 50):
    ...     second.update(number, True, False)
    >>> merged = merge_segments("binary", [first, second]).values()
    >>> len(merged), merged["45"]["scored"], merged["(others)"]["scored"]
    (51, 2, 10)
    """
    segments = list(segments)
    full = [segment for segment in segments if OTHERS in segment.scores]
    merged = Segment(kind)
    for segment in segments:
        for value, scores in segment.scores.items():
            is_told = all(value in one.scores for one in full)
            merged.of(value if is_told else OTHERS).add(scores)
    return merged


def segments_of(task: Task) -> dict[str, Segment]:
    """Make the segments of a task, by feature."""
    return {name: Segment(task.kind) for name in task.segments}


def _text(value: Value) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if len(value) > TEXT_MAX:
        value = f"{value[:TEXT_MAX]}... {hashlib.sha256(value.encode()).hexdigest()[:8]}"
    return json.dumps(value, ensure_ascii=False) if value in (MISSING, OTHERS) or _is_plain(value) else value


def _is_plain(text: str) -> bool:
    """Tell whether a string reads as a number, as true or false, or as a string in quotes."""
    if text in ("true", "false") or text[:1] == '"':
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True
