"""A linear model on NumPy: online gradient descent, with weights for a growing number of features."""

from collections.abc import Sequence
from math import exp

import numpy as np
from numpy.typing import NDArray
from river import base

from headrace.learning.models.preparing import Numbers, Prepared, Scale
from headrace.learning.parameters import NotNegative, Positive, Share
from headrace.learning.prediction import number
from headrace.learning.tags import tagged
from headrace.learning.task import Label

INITIAL = 16
"""The length of a new weight vector. It doubles when it is full, so the cost of growing is constant per feature."""


class _OnlineLinear(base.Estimator):
    """The base of the online linear models: weights, momentum and the feature index. A subclass defines the loss."""

    def __init__(self, learning_rate: float = 0.01, l2: float = 0.0, momentum: float = 0.0, clip: float = 1e3):
        self.learning_rate = learning_rate
        self.l2 = l2
        self.momentum = momentum
        self.clip = clip
        self.intercept = 0.0
        self._intercept_velocity = 0.0
        self._index: dict[str, int] = {}
        self._weights = np.zeros(INITIAL)
        self._velocity = np.zeros(INITIAL)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each feature that was learned."""
        return {name: float(self._weights[place]) for name, place in self._index.items()}

    def _gradient(self, raw: float, y: Label) -> float:
        """Return the derivative of the loss with respect to the raw score."""
        raise NotImplementedError

    def raw(self, x: Numbers) -> float:
        """Return the weighted sum of the features. A feature that was never learned counts 0, and is not added to the model."""
        index, weights = self._index, self._weights
        known = [name for name in x if name in index]
        places = [index[name] for name in known]
        values = np.array([x[name] for name in known], dtype=float)
        return self.intercept + float(weights[places] @ values) if known else self.intercept

    def learn_one(self, x: Numbers, y: Label) -> None:
        """Take one step down the gradient, of which each component is limited to `clip`."""
        slope = self._gradient(self.raw(x), y)
        self._step(slope, list(x), slope * np.array(list(x.values()), dtype=float))

    def learn_mean(self, rows: Sequence[tuple[Numbers, Label]]) -> None:
        """Take one step down the mean of the rows' gradients at the present weights; a feature that a row lacks counts 0."""
        slopes = [self._gradient(self.raw(x), y) for x, y in rows]
        sums: dict[str, float] = {}
        for slope, (x, _) in zip(slopes, rows, strict=True):
            for name, value in x.items():
                sums[name] = sums.get(name, 0.0) + slope * float(value)
        count = len(rows)
        self._step(sum(slopes) / count, list(sums), np.array(list(sums.values()), dtype=float) / count)

    def _step(self, slope: float, names: list[str], gradient: NDArray[np.float64]) -> None:
        """Move the intercept and the weights of these features against their gradients."""
        self._intercept_velocity = self.momentum * self._intercept_velocity + min(max(slope, -self.clip), self.clip)
        self.intercept -= self.learning_rate * self._intercept_velocity
        if not names:
            return
        places = [self._place(name) for name in names]
        weights = self._weights[places]
        steps = gradient + self.l2 * weights
        velocity = self.momentum * self._velocity[places] + np.minimum(np.maximum(steps, -self.clip), self.clip)
        self._velocity[places] = velocity
        self._weights[places] = weights - self.learning_rate * velocity

    def _place(self, name: str) -> int:
        place = self._index.get(name)
        if place is None:
            place = self._index[name] = len(self._index)
            if place == len(self._weights):
                self._weights = np.concatenate([self._weights, np.zeros(place)])
                self._velocity = np.concatenate([self._velocity, np.zeros(place)])
        return place


@tagged("online-linear-classifier/1")
class OnlineLinearClassifier(_OnlineLinear, base.Classifier):
    """A binary classifier that learns by online gradient descent on the log loss.

    Parameters
    ----------
    learning_rate
        The step size of the descent, above 0.
    l2
        The strength of the L2 penalty on the weights of the record's features, 0 or more.
    momentum
        The share of a weight's last step that is added to the next, from 0 to below 1.
    clip
        The largest absolute gradient of a weight, above 0.

    Examples
    --------
    >>> model = OnlineLinearClassifier(learning_rate=0.1)
    >>> for number in range(100):
    ...     model.learn_one({"size": number % 2 - 0.5}, bool(number % 2))
    >>> model.predict_one({"size": 0.5}), model.predict_one({"size": -0.5})
    (True, False)

    References
    ----------
    Zinkevich, "Online convex programming and generalized infinitesimal gradient ascent", 2003.
    """

    def predict_proba_one(self, x: Numbers) -> dict[Label, float]:
        """Return the probabilities of false and true."""
        p = _sigmoid(self.raw(x))
        return {False: 1.0 - p, True: p}

    def _gradient(self, raw: float, y: Label) -> float:
        return _sigmoid(raw) - (1.0 if y else 0.0)


@tagged("online-linear-regressor/1")
class OnlineLinearRegressor(_OnlineLinear, base.Regressor):
    """A regressor that learns by online gradient descent on half the squared error.

    Parameters
    ----------
    learning_rate, l2, momentum, clip
        As for `OnlineLinearClassifier`.

    Examples
    --------
    >>> model = OnlineLinearRegressor(learning_rate=0.1)
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 3)}, 2.0 * (number % 3) + 1)
    >>> round(model.predict_one({"size": 2.0}), 3)
    5.0
    """

    def predict_one(self, x: Numbers) -> float:
        """Return the predicted number."""
        return self.raw(x)

    def _gradient(self, raw: float, y: Label) -> float:
        return raw - number(y)


def online_linear_classifier(
    learning_rate: Positive = 0.01, l2: NotNegative = 0.0, momentum: Share = 0.0, clip: Positive = 1e3
) -> Prepared:
    """Make an `OnlineLinearClassifier` on scaled features, which can learn the mean gradient of a batch (`gradient = "mean"`). See that class for the parameters.

    Examples
    --------
    >>> online_linear_classifier().predict_proba_one({"size": 1.0})
    {False: 0.5, True: 0.5}
    """
    return Prepared(Scale(), OnlineLinearClassifier(learning_rate, l2, momentum, clip))


def online_linear_regressor(
    learning_rate: Positive = 0.01, l2: NotNegative = 0.0, momentum: Share = 0.0, clip: Positive = 1e3
) -> Prepared:
    """Make an `OnlineLinearRegressor` on scaled features, which can learn the mean gradient of a batch (`gradient = "mean"`). See that class for the parameters.

    Examples
    --------
    >>> online_linear_regressor().predict_one({"size": 1.0})
    0.0
    """
    return Prepared(Scale(), OnlineLinearRegressor(learning_rate, l2, momentum, clip))


def _sigmoid(raw: float) -> float:
    return 1.0 / (1.0 + exp(-min(max(raw, -500.0), 500.0)))
