"""Explains linear models: each feature adds its weight times its value."""

from collections.abc import Mapping
from typing import Any

from headrace.learning.explain.explanation import Contribution, LinearExplanation
from headrace.learning.models.preparing import Numbers
from headrace.learning.task import Label

Weights = Mapping[str, float]


def explain_linear(model: Any, x: Numbers) -> LinearExplanation:
    """Explain a model with `weights` and an `intercept`.

    Examples
    --------
    >>> from river.linear_model import LinearRegression
    >>> model = LinearRegression(intercept_init=1.0)
    >>> model.learn_one({"size": 2.0}, 5.0)
    >>> explained = explain_linear(model, {"size": 3.0})
    >>> explained.score == model.predict_one({"size": 3.0})
    True
    """
    return add_up(model.weights, float(model.intercept), x)


def explain_alma(model: Any, x: Numbers) -> LinearExplanation:
    """Explain River's ALMA, which has no intercept."""
    return add_up(model.w, 0.0, x)


def explain_softmax(model: Any, x: Numbers) -> LinearExplanation | None:
    """Explain the score of the predicted label of a softmax regression; None while it has seen none."""
    scores = {label: add_up(weights, 0.0, x, label) for label, weights in model.weights.items()}
    if not scores:
        return None
    probabilities = model.predict_proba_one(x)
    return scores[max(probabilities, key=probabilities.__getitem__)]


def linear_weights(model: Any) -> dict[str, float]:
    """List the weights of a model with `weights` and an `intercept`, the latter as the feature of an empty name."""
    return {"": float(model.intercept)} | {name: float(weight) for name, weight in model.weights.items()}


def alma_weights(model: Any) -> dict[str, float]:
    """List the weights of River's ALMA."""
    return {name: float(weight) for name, weight in model.w.items()}


def softmax_weights(model: Any) -> dict[str, float]:
    """List the weights of a softmax regression, as `label: feature`."""
    return {f"{label}: {name}": float(weight) for label, of in model.weights.items() for name, weight in of.items()}


def add_up(weights: Weights, intercept: float, x: Numbers, label: Label | None = None) -> LinearExplanation:
    """Add up what the features contribute. A feature without a weight contributes 0.

    Examples
    --------
    >>> explained = add_up({"size": 2.0, "price": -3.0}, 0.5, {"size": 1.0, "price": 1.0, "new": 7.0})
    >>> explained.score, [one.feature for one in explained.contributions]
    (-0.5, ['price', 'size', 'new'])
    """
    parts = [
        Contribution(name, float(value), (weight := float(weights.get(name, 0.0))), weight * float(value))
        for name, value in x.items()
    ]
    score = intercept + sum(part.contribution for part in parts)
    return LinearExplanation(score, intercept, sorted(parts, key=lambda part: -abs(part.contribution)), label)
