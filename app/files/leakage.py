"""Leakage: a feature that predicts the label alone was often written down after the label was known."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from headrace.learning.task import Kind, Value

ROWS_MIN = 50
"""The fewest rows from which it is judged."""

NEARLY = 0.995
"""The share of labels, or the correlation, from which on a feature predicts the label alone."""

GROUPED = 10
"""The fewest rows for each value of a feature, on average, so that its values are looked at one by one."""


def predicts_alone(values: Sequence[Value | None], labels: Sequence[Value], kind: Kind) -> bool:
    """Return whether a feature predicts the label alone.

    Of classes: whether the most frequent label of each value, or of the values on either side of one threshold, is nearly always right,
    and ten times less often wrong than the most frequent label of all. Of numbers: whether they are all but proportional.

    Examples
    --------
    >>> labels = [number % 3 == 0 for number in range(300)]
    >>> predicts_alone(["paid" if label else "open" for label in labels], labels, "binary")
    True
    >>> predicts_alone([number % 2 for number in range(300)], labels, "binary")
    False
    """
    if len(labels) < ROWS_MIN:
        return False
    if kind == "regression":
        return _is_proportional(values, labels)
    base = max(Counter(labels).values()) / len(labels)
    right = _share_right(values, labels)
    return right >= NEARLY and 1 - right <= (1 - base) / 10


def _is_proportional(values: Sequence[Value | None], labels: Sequence[Value]) -> bool:
    pairs = [
        (float(value), float(label))
        for value, label in zip(values, labels, strict=True)
        if value is not None and not isinstance(value, str)
    ]
    if len(pairs) < ROWS_MIN:
        return False
    table = np.array(pairs)
    if not table.std(axis=0).all():
        return False
    return bool(abs(np.corrcoef(table.T)[0, 1]) >= NEARLY)


def _share_right(values: Sequence[Value | None], labels: Sequence[Value]) -> float:
    """Return how often the best guess from the feature alone is right."""
    if len(set(values)) * GROUPED <= len(labels):
        groups: dict[Value | None, Counter[Value]] = defaultdict(Counter)
        for value, label in zip(values, labels, strict=True):
            groups[value][label] += 1
        return sum(max(counts.values()) for counts in groups.values()) / len(labels)
    if any(isinstance(value, str) for value in values):
        return 0.0
    ordered = sorted(
        (float(value), str(label)) for value, label in zip(values, labels, strict=True) if value is not None
    )
    numbers = np.array([number for number, _ in ordered])
    classes = np.array([label for _, label in ordered])
    if len(np.unique(classes)) != 2:
        return 0.0
    ones = np.cumsum(classes == classes[-1])
    below = np.arange(1, len(classes) + 1)
    hits = (below - ones) + (ones[-1] - ones)  # the other class up to here, this one above
    ends = np.append(numbers[1:] != numbers[:-1], True)
    best = max(hits[ends].max(), (len(classes) - hits[ends]).max())
    lacking = Counter(label for value, label in zip(values, labels, strict=True) if value is None)
    return float(best + max(lacking.values(), default=0)) / len(labels)
