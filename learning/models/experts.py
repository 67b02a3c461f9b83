"""Experts: the same linear model with several learning rates, each heard as much as it was right. Nobody has to choose the rate."""

from collections.abc import Sequence
from math import exp, log
from typing import Any

from river import base, linear_model, optim

from headrace.learning.models.preparing import Numbers, Prepared, Scale
from headrace.learning.parameters import Share
from headrace.learning.prediction import number
from headrace.learning.tags import tagged
from headrace.learning.task import Label

RATES = (0.001, 0.005, 0.02, 0.1, 0.5)
"""The learning rates of the experts."""

LEAST = 0.01
"""A probability below it counts as this one, so that no expert is lost for good by a single record."""

WORST = 10.0
"""A squared error of more than so many times the variance of the labels counts as this one."""


class _Experts(base.Estimator):
    """The base of the experts: their weights, and how these change with the loss of each."""

    def __init__(self, models: Sequence[Any], share: float = 0.001):
        self.models = list(models)
        self.share = share
        self.weights = [1.0 / len(self.models)] * len(self.models)

    def _update(self, losses: Sequence[float]) -> None:
        """Weigh each expert by exp(-loss), and give all a part of the weights, so that another one can lead when the world changes."""
        least = min(losses)
        heard = [weight * exp(least - loss) for weight, loss in zip(self.weights, losses, strict=True)]
        total = sum(heard)
        self.weights = [(1.0 - self.share) * one / total + self.share / len(heard) for one in heard]


@tagged("experts-classifier/1")
class ExpertsClassifier(_Experts, base.Classifier):
    """Answers with the mean of the experts' probabilities, weighted by the likelihood that each gave to the labels so far.

    Parameters
    ----------
    models
        The experts, which must be classifiers.
    share
        The part of the weights that is shared out anew with each record, from 0 to below 1: how soon another expert can take the lead.

    References
    ----------
    Vovk, "Aggregating strategies", 1990; Herbster and Warmuth, "Tracking the best expert", 1998.
    """

    @property
    def _multiclass(self) -> bool:
        return bool(self.models[0]._multiclass)  # noqa: SLF001

    def learn_one(self, x: Numbers, y: Label) -> None:
        """Weigh the experts by what they would have answered, then let each learn."""
        self._update([-log(max(model.predict_proba_one(x).get(y, 0.0), LEAST)) for model in self.models])
        for model in self.models:
            model.learn_one(x, y)

    def predict_proba_one(self, x: Numbers) -> dict[Label, float]:
        """Return the weighted mean of the probabilities of those who have an answer; empty while all are cold."""
        answers = [model.predict_proba_one(x) for model in self.models]
        heard = sum(weight for weight, answer in zip(self.weights, answers, strict=True) if answer)
        mean: dict[Label, float] = {}
        for weight, answer in zip(self.weights, answers, strict=True):
            for label, p in answer.items():
                mean[label] = mean.get(label, 0.0) + weight / heard * p
        return mean


@tagged("experts-regressor/1")
class ExpertsRegressor(_Experts, base.Regressor):
    """Answers with the mean of the experts' numbers, weighted by their squared errors so far, in units of the labels' variance.

    Parameters
    ----------
    models
        The experts, which must be regressors.
    share
        As for `ExpertsClassifier`.
    """

    def __init__(self, models: Sequence[Any], share: float = 0.001):
        super().__init__(models, share)
        self.count, self.mean, self.variance = 0, 0.0, 0.0

    def learn_one(self, x: Numbers, y: Label) -> None:
        """Weigh the experts by what they would have answered, then let each learn."""
        label = number(y)
        self.count += 1
        off = label - self.mean
        self.mean += off / self.count
        self.variance += (off * (label - self.mean) - self.variance) / self.count
        if self.variance > 0.0:
            answers = [model.predict_one(x) for model in self.models]
            errors = [label - (self.mean if one is None else number(one)) for one in answers]
            self._update([min(error * error / self.variance, WORST) / 2.0 for error in errors])
        for model in self.models:
            model.learn_one(x, y)

    def predict_one(self, x: Numbers) -> float:
        """Return the weighted mean of the numbers; that of the labels where an expert is cold."""
        answers = [model.predict_one(x) for model in self.models]
        return sum(
            weight * (self.mean if one is None else number(one))
            for weight, one in zip(self.weights, answers, strict=True)
        )


def logistic_experts() -> list[linear_model.LogisticRegression]:
    """Make a logistic regression with each rate."""
    return [linear_model.LogisticRegression(optim.SGD(rate)) for rate in RATES]


def softmax_experts() -> list[linear_model.SoftmaxRegression]:
    """Make a softmax regression with each rate."""
    return [linear_model.SoftmaxRegression(optim.SGD(rate)) for rate in RATES]


def linear_experts() -> list[linear_model.LinearRegression]:
    """Make a linear regression with each rate."""
    return [linear_model.LinearRegression(optim.SGD(rate), intercept_lr=rate, clip_gradient=100.0) for rate in RATES]


def experts_binary(share: Share = 0.001) -> Prepared:
    """Make five logistic regressions with learning rates from 0.001 to 0.5, each heard as much as it was right.

    Parameters
    ----------
    share
        The part of the weights that is shared out anew with each record: how soon another rate can take the lead.

    Examples
    --------
    >>> model = experts_binary()
    >>> for number in range(200):
    ...     model.learn_one({"size": float(number % 10)}, number % 10 > 4)
    >>> model.predict_one({"size": 7.0}), max(zip(model.model.weights, RATES))[1]
    (True, 0.5)
    """
    return Prepared(Scale(), ExpertsClassifier(logistic_experts(), share))


def experts_multiclass(share: Share = 0.001) -> Prepared:
    """Make five softmax regressions with learning rates from 0.001 to 0.5, each heard as much as it was right. See `experts_binary` for the parameters.

    Examples
    --------
    >>> model = experts_multiclass()
    >>> for number in range(300):
    ...     model.learn_one({"size": float(number % 3)}, "abc"[number % 3])
    >>> model.predict_one({"size": 2.0})
    'c'
    """
    return Prepared(Scale(), ExpertsClassifier(softmax_experts(), share))


def experts_regression(share: Share = 0.001) -> Prepared:
    """Make five linear regressions with learning rates from 0.001 to 0.5, each heard as much as it was right. See `experts_binary` for the parameters.

    Examples
    --------
    >>> model = experts_regression()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10)}, 3.0 * (number % 10) + 5)
    >>> round(model.predict_one({"size": 4.0}))
    17
    """
    return Prepared(Scale(), ExpertsRegressor(linear_experts(), share))
