"""Preparing steps of the catalogue's models: strings become numbers, numbers are scaled, and predicting changes nothing."""

from collections.abc import Sequence
from typing import Any, Protocol

from river import base

from headrace.learning.features import Steps
from headrace.learning.features.strings import NONE, Strings
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value

Features = dict[str, Value]
Numbers = dict[str, Any]
"""Features without strings: numbers and booleans."""


def mark_equals(x: Features) -> Features:
    """Mark each feature name that holds a `=` with its length, so that no two one-hot features get the same name.

    The name of a one-hot feature is `name=value`. Without a mark, `{"a=b": "c"}` and `{"a": "b=c"}` would both become `a=b=c`. A marked name
    begins with a `=`, as no other name does: the feature `a=b` becomes `=3=a=b`.

    Examples
    --------
    >>> mark_equals({"a=b": 1.0, "a": "b"})
    {'=3=a=b': 1.0, 'a': 'b'}
    """
    return {f"={len(name)}={name}" if "=" in name else name: value for name, value in x.items()}


@tagged("one-hot/2")
class OneHot(base.Transformer):
    """Turns each string feature into a number: `country: "PT"` becomes `country=PT: 1.0`. See `Strings` for texts, and for very many values.

    A feature may be a number in one record and a string in the next: the two are then different features, which every model can learn.
    The order of the features is kept. A name that holds a `=` is marked; see `mark_equals`.

    Examples
    --------
    >>> OneHot().learn_transform_one({"price": 3.5, "country": "PT"})
    {'price': 3.5, 'country=PT': 1.0}
    """

    def __init__(self) -> None:
        self.strings = Strings()

    def transform_one(self, x: Features) -> Numbers:
        """Return the features with each string as a number; return the same object if there is nothing to change."""
        return self._numbers(mark_equals(x) if "=" in "".join(x) else x)

    def _numbers(self, x: Features) -> Numbers:
        if str not in map(type, x.values()):
            return x
        numbers: Numbers = {}
        for name, value in x.items():
            if isinstance(value, str):
                self.strings.put(numbers, name, value)
            else:
                numbers[name] = value
        return numbers

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:  # noqa: ARG002
        """Give new values a column, and do the same as `transform_one`."""
        if "=" in "".join(x):
            x = mark_equals(x)
        if str in map(type, x.values()):
            for name, value in x.items():
                if isinstance(value, str):
                    self.strings.learn(name, value)
        return self._numbers(x)


@tagged("scale/2")
class Scale(base.Transformer):
    """Scales numbers as River's StandardScaler does, to the bit; strings become numbers as by `OneHot`, which are not scaled.

    A one-hot feature is always 1 if it is present, so scaling would make it 0. Unlike River's scaler, this one does not add an unknown
    feature to its state when it transforms: a request must not change a model.

    Attributes
    ----------
    seen
        The name of each number, with its count, its mean and its variance.
    strings
        What becomes of strings.

    Examples
    --------
    >>> scale = Scale()
    >>> for price in (1.0, 3.0):
    ...     scale.learn_one({"price": price, "country": "PT"})
    >>> scale.transform_one({"price": 3.0, "country": "PT", "unknown": 7.0})
    {'price': 1.0, 'country=PT': 1.0, 'unknown': 0.0}
    >>> scale.seen
    {'price': (2, 2.0, 1.0)}

    References
    ----------
    `river.preprocessing.StandardScaler`.
    """

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, float, float]] = {}
        self.strings = Strings()

    def learn_one(self, x: Features) -> None:
        """Update the mean and the variance of every number."""
        self.learn_transform_one(x)

    def transform_one(self, x: Features) -> Numbers:
        """Return the features with numbers scaled; a number that has not varied yet becomes 0."""
        if "=" in "".join(x):
            x = mark_equals(x)
        seen, known = self.seen, self.strings.known
        scaled: Numbers = {}
        for name, value in x.items():
            if isinstance(value, str):
                if value in known.get(name, NONE):
                    scaled[f"{name}={value}"] = 1.0
                else:
                    self.strings.put(scaled, name, value)
            elif name in seen:
                _, mean, variance = seen[name]
                scaled[name] = (value - mean) / variance**0.5 if variance else 0.0
            else:
                scaled[name] = 0.0
        return scaled

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:  # noqa: ARG002
        """Do `learn_one` and then `transform_one`, in one pass over the features."""
        if "=" in "".join(x):
            x = mark_equals(x)
        seen, known = self.seen, self.strings.known
        scaled: Numbers = {}
        for name, value in x.items():
            if isinstance(value, str):
                if value in known.get(name, NONE):  # as a rule it is
                    scaled[f"{name}={value}"] = 1.0
                else:
                    self.strings.learn(name, value)
                    self.strings.put(scaled, name, value)
            elif name in seen:
                count, mean, variance = seen[name]
                count += 1
                off = value - mean
                mean += off / count
                variance += (off * (value - mean) - variance) / count
                seen[name] = count, mean, variance
                scaled[name] = (value - mean) / variance**0.5 if variance else 0.0
            else:
                seen[name] = 1, 0.0 + value, 0.0
                scaled[name] = 0.0
        return scaled


@tagged("as-is/1")
class AsIs(base.Transformer):
    """Leaves the features as they are: a model of the user's own prepares them by itself."""

    def transform_one(self, x: Features) -> Numbers:
        """Return the features."""
        return x

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:  # noqa: ARG002
        """Return the features."""
        return x


class PreparingStep(Protocol):
    """What makes features into numbers before a model."""

    def transform_one(self, x: Features) -> Numbers:
        """Return the numbers of a record; nothing changes."""
        ...

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:
        """Learn a record with its label, and return its numbers."""
        ...


@tagged("stepped/1")
class Stepped(base.Transformer):
    """The steps that a task declares for its features, before the preparing step of a model.

    Parameters
    ----------
    declared
        The steps of the features.
    step
        What plain features go through.

    Examples
    --------
    >>> from headrace.learning.features import steps_of
    >>> step = Stepped(steps_of({"feature.price": "log"}), OneHot())
    >>> step.transform_one({"price": 0.0, "age": 3.0})
    {'price': 0.0, 'age': 3.0}
    """

    def __init__(self, declared: Steps, step: PreparingStep):
        self.declared, self.step = declared, step

    def transform_one(self, x: Features) -> Numbers:
        """Return what becomes of a record."""
        plain, ready = self.declared.transform(x)
        return {**self.step.transform_one(plain), **ready}

    def learn_transform_one(self, x: Features, y: Label | None = None) -> Numbers:
        """Do the same as `transform_one`, and learn the record with its label afterwards: what is transformed never saw its own label."""
        plain, ready = self.declared.transform(x)
        numbers = {**self.step.learn_transform_one(plain), **ready}
        self.declared.learn(x, y)
        return numbers


@tagged("prepared/2")
class Prepared(base.Estimator):
    """A model behind a preparing step: River's `step | model`, without the cost and the caches of River's general pipeline.

    Parameters
    ----------
    step
        The step, which transforms features, and learns from them.
    model
        A River classifier or regressor.

    Examples
    --------
    >>> from river.linear_model import LogisticRegression
    >>> model = Prepared(Scale(), LogisticRegression())
    >>> model.learn_one({"price": 1.0}, True)
    >>> model.predict_proba_one({"price": 1.0})
    {False: 0.49875000260416014, True: 0.5012499973958399}
    """

    def __init__(self, step: PreparingStep, model: Any):
        self.step = step
        self.model = model

    @property
    def _last_step(self) -> Any:
        """The model, from which River, as with a pipeline, tells a classifier from a regressor."""
        return self.model

    @property
    def _multiclass(self) -> bool:
        return bool(self.model._multiclass)  # noqa: SLF001

    def learn_one(self, x: Features, y: Label) -> None:
        """Update the step, then update the model with the transformed features."""
        self.model.learn_one(self.step.learn_transform_one(x, y), y)

    def learn_mean(self, rows: Sequence[tuple[Features, Label]]) -> None:
        """Update the step row by row, then the model by one step along the mean gradient; the model must have `learn_mean`."""
        self.model.learn_mean([(self.step.learn_transform_one(x, y), y) for x, y in rows])

    def predict_one(self, x: Features) -> Label | None:
        """Return the model's prediction."""
        answer: Label | None = self.model.predict_one(self.step.transform_one(x))
        return answer

    def predict_proba_one(self, x: Features) -> dict[Label, float]:
        """Return the model's probabilities; empty while the model is cold."""
        probabilities: dict[Label, float] = self.model.predict_proba_one(self.step.transform_one(x))
        return probabilities
