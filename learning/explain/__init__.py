"""Explanations: why a model predicts what it predicts, for the models that can be read."""

from headrace.learning.explain.explain import EXPLAINERS, WEIGHTS, explain, weights_of
from headrace.learning.explain.explanation import (
    Branching,
    Contribution,
    Explanation,
    LinearExplanation,
    TreeExplanation,
)

__all__ = [
    "EXPLAINERS",
    "WEIGHTS",
    "Branching",
    "Contribution",
    "Explanation",
    "LinearExplanation",
    "TreeExplanation",
    "explain",
    "weights_of",
]
