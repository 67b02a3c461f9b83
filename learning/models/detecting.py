"""Models of anomalies: a score for each record, learned without labels, behind a preparing step that reading does not change."""

from typing import Any

from river import base

from headrace.learning.features.strings import Strings
from headrace.learning.models.preparing import Features, Numbers, PreparingStep, mark_equals
from headrace.learning.tags import tagged
from headrace.learning.task import Label


@tagged("min-max/1")
class MinMax(base.Transformer):
    """Scales numbers to 0 to 1 as River's MinMaxScaler does, to the bit; strings become numbers as by `OneHot`.

    Unlike River's scaler, this one does not add an unknown feature to its state when it transforms: a request must not change a model.

    Attributes
    ----------
    seen
        The name of each number, with its least and its largest value.
    strings
        What becomes of strings.

    Examples
    --------
    >>> step = MinMax()
    >>> for price in (1.0, 3.0):
    ...     numbers = step.learn_transform_one({"price": price, "country": "PT"})
    >>> step.transform_one({"price": 1.5, "country": "PT", "unknown": 7.0})
    {'price': 0.25, 'country=PT': 1.0, 'unknown': 0.0}

    References
    ----------
    `river.preprocessing.MinMaxScaler`.
    """

    def __init__(self) -> None:
        self.seen: dict[str, tuple[float, float]] = {}
        self.strings = Strings()

    def transform_one(self, x: Features) -> Numbers:
        """Return the features with numbers scaled; a number that has not varied yet becomes 0."""
        if "=" in "".join(x):
            x = mark_equals(x)
        seen = self.seen
        scaled: Numbers = {}
        for name, value in x.items():
            if isinstance(value, str):
                self.strings.put(scaled, name, value)
            elif name in seen:
                least, largest = seen[name]
                width = largest - least
                scaled[name] = (value - least) / width if width else 0.0
            else:
                scaled[name] = 0.0
        return scaled

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:  # noqa: ARG002
        """Widen the ranges by a record, and do the same as `transform_one`."""
        marked = mark_equals(x) if "=" in "".join(x) else x
        seen = self.seen
        for name, value in marked.items():
            if isinstance(value, str):
                self.strings.learn(name, value)
            elif name in seen:
                least, largest = seen[name]
                if value < least:
                    seen[name] = value, largest
                elif value > largest:
                    seen[name] = least, value
            else:
                seen[name] = value, value
        return self.transform_one(x)


@tagged("prepared-detector/1")
class PreparedDetector(base.Estimator):
    """A detector of anomalies behind a preparing step: River's `step | detector`, whose scores are 0 to 1.

    Parameters
    ----------
    step
        The step, which transforms features, and learns from them.
    model
        A River anomaly detector.

    Examples
    --------
    >>> from river.anomaly import HalfSpaceTrees
    >>> model = PreparedDetector(MinMax(), HalfSpaceTrees(seed=1))
    >>> model.learn_one({"price": 1.0})
    >>> model.step.seen
    {'price': (1.0, 1.0)}
    """

    def __init__(self, step: PreparingStep | MinMax, model: Any):
        self.step = step
        self.model = model

    @property
    def _last_step(self) -> Any:
        """The detector, from which River, as with a pipeline, tells what this is."""
        return self.model

    @property
    def _supervised(self) -> bool:
        return False

    def learn_one(self, x: Features) -> None:
        """Update the step, then update the detector with the transformed features."""
        self.model.learn_one(self.step.learn_transform_one(x))

    def score_one(self, x: Features) -> float | None:
        """Return how strange features are, from 0 to 1; None while the detector is cold."""
        score: float | None = self.model.score_one(self.step.transform_one(x))
        return score
