"""Baselines: simple answers that a better model has to beat. They look at no feature, and cost a microsecond each."""

from river import base, dummy, stats

from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label, Value

Plain = bool | int | str


@tagged("no-change/2", last=Plain | None, seen=dict[Plain, None])
class NoChange(base.Classifier):
    """Answers as `river.dummy.NoChangeClassifier`: with the last label."""

    def __init__(self) -> None:
        self.last: Label | None = None
        self.seen: dict[Label, None] = {}

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[str, Value], y: Label) -> None:  # noqa: ARG002
        """Keep the label."""
        self.last = y
        self.seen[y] = None

    def predict_proba_one(self, x: dict[str, Value]) -> dict[Label, float]:  # noqa: ARG002
        """Return 1 for the last label and 0 for the others; empty before the first one."""
        if self.last is None:
            return {}
        probabilities = dict.fromkeys(self.seen, 0.0)
        probabilities[self.last] = 1.0
        return probabilities

    def predict_one(self, x: dict[str, Value]) -> Label | None:  # noqa: ARG002
        """Return the last label; None before the first one."""
        return self.last


@tagged("majority/2", counts=dict[Plain, Count], most=Plain | None)
class Majority(base.Classifier):
    """Answers as `river.dummy.PriorClassifier`: with the share of each label so far.

    Attributes
    ----------
    most
        The most frequent label, and of several the one that came first.
    """

    def __init__(self) -> None:
        self.counts: dict[Label, int] = {}
        self.total = 0
        self.most: Label | None = None

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: dict[str, Value], y: Label) -> None:  # noqa: ARG002
        """Count the label."""
        self.total += 1
        self.most = count_label(self.counts, self.most, y)

    def predict_proba_one(self, x: dict[str, Value]) -> dict[Label, float]:  # noqa: ARG002
        """Return the share of each label; empty before the first one."""
        total = self.total
        return {label: count / total for label, count in self.counts.items()}

    def predict_one(self, x: dict[str, Value]) -> Label | None:  # noqa: ARG002
        """Return the most frequent label; None before the first one."""
        return self.most


def count_label(counts: dict[Label, int], most: Label | None, y: Label) -> Label:
    """Count one more label; return the most frequent one, and of several the one that came first.

    Parameters
    ----------
    counts
        How often each label has come; it is changed.
    most
        The most frequent label so far; None before the first one.
    y
        The label.

    Examples
    --------
    >>> counts = {"b": 1, "a": 1}
    >>> count_label(counts, "b", "a"), counts
    ('a', {'b': 1, 'a': 2})
    """
    counts[y] = count = counts.get(y, 0) + 1
    if most is None or count > counts[most]:
        return y
    if count == counts[most] and y != most:
        return next(label for label in counts if label in (y, most))
    return most


def no_change() -> NoChange:
    """Make a classifier that predicts the last label.

    Examples
    --------
    >>> model = no_change()
    >>> model.learn_one({}, "b")
    >>> model.predict_one({})
    'b'

    References
    ----------
    `river.dummy.NoChangeClassifier`.
    """
    return NoChange()


@tagged("no-change-regressor/1", last=float | int | None)
class NoChangeRegressor(base.Regressor):
    """Predicts the last label; None before the first one."""

    def __init__(self) -> None:
        self.last: float | None = None

    def learn_one(self, x: dict[str, Value], y: float) -> None:  # noqa: ARG002
        """Keep the label."""
        self.last = y

    def predict_one(self, x: dict[str, Value]) -> float | None:  # noqa: ARG002
        """Return the last label."""
        return self.last


def no_change_regressor() -> NoChangeRegressor:
    """Make a regressor that predicts the last label.

    Examples
    --------
    >>> model = no_change_regressor()
    >>> model.learn_one({}, 2.5)
    >>> model.predict_one({})
    2.5
    """
    return NoChangeRegressor()


def majority() -> Majority:
    """Make a classifier that predicts the most frequent label so far; its probabilities are the shares of the labels.

    Examples
    --------
    >>> model = majority()
    >>> for label in ("b", "a", "b"):
    ...     model.learn_one({}, label)
    >>> model.predict_proba_one({})["a"]
    0.3333333333333333

    References
    ----------
    `river.dummy.PriorClassifier`.
    """
    return Majority()


def mean() -> dummy.StatisticRegressor:
    """Make a regressor that predicts the mean of all labels so far.

    Examples
    --------
    >>> model = mean()
    >>> for label in (1.0, 2.0, 6.0):
    ...     model.learn_one({}, label)
    >>> model.predict_one({})
    3.0

    References
    ----------
    `river.dummy.StatisticRegressor`.
    """
    return dummy.StatisticRegressor(stats.Mean())
