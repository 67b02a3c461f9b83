"""Explains a prediction by the model that makes it, if it is one of those that can be read."""

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from river import compose, linear_model, tree

from headrace.learning.explain.explanation import Explanation
from headrace.learning.explain.linear import (
    alma_weights,
    explain_alma,
    explain_linear,
    explain_softmax,
    linear_weights,
    softmax_weights,
)
from headrace.learning.explain.tree import explain_tree
from headrace.learning.models.online_linear import OnlineLinearClassifier, OnlineLinearRegressor
from headrace.learning.models.preparing import Features, Numbers, Prepared

Row = TypeVar("Row")

EXPLAINERS: dict[type, Callable[[Any, Numbers], Explanation | None]] = {
    linear_model.LogisticRegression: explain_linear,
    linear_model.LinearRegression: explain_linear,
    linear_model.PAClassifier: explain_linear,
    linear_model.PARegressor: explain_linear,
    OnlineLinearClassifier: explain_linear,
    OnlineLinearRegressor: explain_linear,
    linear_model.ALMAClassifier: explain_alma,
    linear_model.SoftmaxRegression: explain_softmax,
    tree.HoeffdingTreeClassifier: explain_tree,
    tree.HoeffdingTreeRegressor: explain_tree,
}
"""How a model of each class, or of one derived from it, is explained. Add a row for another."""

WEIGHTS: dict[type, Callable[[Any], dict[str, float]]] = {
    linear_model.LogisticRegression: linear_weights,
    linear_model.LinearRegression: linear_weights,
    linear_model.PAClassifier: linear_weights,
    linear_model.PARegressor: linear_weights,
    OnlineLinearClassifier: linear_weights,
    OnlineLinearRegressor: linear_weights,
    linear_model.ALMAClassifier: alma_weights,
    linear_model.SoftmaxRegression: softmax_weights,
}
"""How the weights of a model of each class are listed."""


def explain(model: Any, features: Features) -> Explanation | None:
    """Explain what a model predicts for features; None if it is of no class that can be explained. The model is not changed.

    Parameters
    ----------
    model
        A model of the catalogue, or a River pipeline.
    features
        As in a record.

    Examples
    --------
    >>> from headrace.learning.models import build
    >>> model = build("logistic", "binary")
    >>> for price in (1.0, 2.0, 3.0):
    ...     model.learn_one({"price": price, "country": "PT"}, price > 1.5)
    >>> explained = explain(model, {"price": 3.0, "country": "PT"})
    >>> [one.feature for one in explained.contributions]
    ['price', 'country=PT']
    """
    step, last = _unwrap(model)
    explainer = _row(EXPLAINERS, last)
    return None if explainer is None else explainer(last, step(features))


def weights_of(model: Any) -> dict[str, float] | None:
    """List the weights of a linear model by the names that its features have behind the preparing step; None if it is not linear.

    Examples
    --------
    >>> from headrace.learning.models import build
    >>> weights_of(build("logistic", "binary"))
    {'': 0.0}
    >>> weights_of(build("hoeffding_tree", "binary")) is None
    True
    """
    _, last = _unwrap(model)
    lister = _row(WEIGHTS, last)
    return None if lister is None else lister(last)


def _unwrap(model: Any) -> tuple[Callable[[Features], Numbers], Any]:
    """Take a model and its preparing steps apart."""
    if isinstance(model, Prepared):
        return model.step.transform_one, model.model
    if not isinstance(model, compose.Pipeline):
        return lambda x: x, model
    pipeline: Any = model
    *steps, last = copy.deepcopy(
        list(pipeline.steps.values())
    )  # River's scalers add what they transform to their state

    def prepare(x: Features) -> Numbers:
        for step in steps:
            x = step.transform_one(x)
        return x

    return prepare, last


def _row(rows: Mapping[type, Row], model: Any) -> Row | None:
    return next((rows[base] for base in type(model).__mro__ if base in rows), None)
