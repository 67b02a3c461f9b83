"""The families of models that the kernel folds.

Two linear models are not among them. `alma` needs the norm of all its weights after each step, and `online_linear` a product of the weights with each
row, both from NumPy: in which order it adds depends on the processor, so no loop can promise the same bits.
"""

from collections.abc import Callable
from typing import Any

from river import linear_model

from headrace.learning.kernel.classes import Softmax
from headrace.learning.kernel.descent import Descent
from headrace.learning.kernel.linear import Linear
from headrace.learning.kernel.passive import Passive
from headrace.learning.models.preparing import Prepared, Scale

FAMILIES: dict[type, Callable[[Scale, Any], Linear | None]] = {
    linear_model.LogisticRegression: Descent.of,
    linear_model.LinearRegression: Descent.of,
    linear_model.PAClassifier: Passive.of,
    linear_model.SoftmaxRegression: Softmax.of,
}
"""The models, each with the function that makes it one of the kernel; it gives None if the model is set as no model of the catalogue."""


def linear_of(model: Any) -> Linear | None:
    """Return a model for the kernel; None if it is none of those that the kernel folds.

    Examples
    --------
    >>> from headrace.learning.models import build
    >>> linear_of(build("logistic", "binary")).kind, linear_of(build("hoeffding_tree", "binary"))
    ('binary', None)
    """
    if type(model) is not Prepared or type(model.step) is not Scale:
        return None
    make = FAMILIES.get(type(model.model))
    return None if make is None else make(model.step, model.model)
