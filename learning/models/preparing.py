"""What stands before a catalogue model: strings become numbers, numbers are scaled, and reading leaves no trace."""

from typing import Any

from river import base
from river.preprocessing import StandardScaler

from learning.task import Label, Value

Row = dict[str, Value]
Numbers = dict[str, bool | int | float]


class OneHot:
    """Turns each string feature into a number: `country: "PT"` becomes `country=PT: 1.0`. It has no state.

    A feature may be a number in one record and a string in the next: they are then different features, and no model is upset.

    Examples
    --------
    >>> OneHot().transform_one({"price": 3.5, "country": "PT"})
    {'price': 3.5, 'country=PT': 1.0}
    """

    def learn_one(self, x: Row) -> None:
        """There is nothing to learn."""

    def transform_one(self, x: Row) -> Numbers:
        """The features with every string made a number; the same object when there is none."""
        for value in x.values():
            if type(value) is str:
                return {
                    (f"{name}={value}" if type(value) is str else name): (1.0 if type(value) is str else value)
                    for name, value in x.items()
                }  # type: ignore[misc]
        return x  # type: ignore[return-value]


class Scale(StandardScaler):  # type: ignore[misc]
    """River's StandardScaler, to the bit, for numbers; strings become one-hot features that are not scaled.

    A one-hot feature is 1 whenever it is there, so scaling would make it 0. And other than River's, looking a feature up that was
    never learned does not enter it into the state: a request must not change a model.

    Examples
    --------
    >>> scale = Scale()
    >>> for price in (1.0, 3.0):
    ...     scale.learn_one({"price": price, "country": "PT"})
    >>> scale.transform_one({"price": 3.0, "country": "PT", "unknown": 7.0})
    {'price': 1.0, 'country=PT': 1.0, 'unknown': 0.0}
    >>> dict(scale.counts)
    {'price': 2}
    """

    def learn_one(self, x: Row) -> None:
        """Update the mean and the variance of every number."""
        counts, means, variances = self.counts, self.means, self.vars
        for name, value in x.items():
            if type(value) is str:
                continue
            count = counts[name] = counts.get(name, 0) + 1
            old = means.get(name, 0.0)
            mean = means[name] = old + (value - old) / count  # type: ignore[operator]
            variance = variances.get(name, 0.0)
            variances[name] = variance + ((value - old) * (value - mean) - variance) / count  # type: ignore[operator]

    def transform_one(self, x: Row) -> Numbers:
        """Numbers, scaled; 0 where nothing varied yet."""
        means, variances = self.means, self.vars
        scaled: Numbers = {}
        for name, value in x.items():
            if type(value) is str:
                scaled[f"{name}={value}"] = 1.0
            else:
                variance = variances.get(name)
                scaled[name] = (value - means[name]) / variance**0.5 if variance else 0.0  # type: ignore[operator]
        return scaled


class Prepared(base.Estimator):  # type: ignore[misc]
    """A model behind a preparing step: River's `step | model`, without the cost and the caches of its general pipeline.

    Parameters
    ----------
    step
        Transforms features; learns them without the label.
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

    def __init__(self, step: OneHot | Scale, model: Any):
        self.step = step
        self.model = model

    @property
    def _supervised(self) -> bool:
        return True

    def learn_one(self, x: Row, y: Label) -> None:
        """Update the step, then the model with what the step now makes of the features."""
        step = self.step
        step.learn_one(x)
        self.model.learn_one(step.transform_one(x), y)

    def predict_one(self, x: Row) -> Any:
        """The model's answer."""
        return self.model.predict_one(self.step.transform_one(x))

    def predict_proba_one(self, x: Row) -> dict[Label, float]:
        """The model's probabilities; empty while it is cold."""
        probabilities: dict[Label, float] = self.model.predict_proba_one(self.step.transform_one(x))
        return probabilities
