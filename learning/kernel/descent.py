"""Gradient descent for the kernel: `logistic`, `linear` and `ftrl`, with each optimizer that they can have."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from river import linear_model, optim

from headrace.learning.kernel.linear import Floats, Folded, Linear, Predicted, PredictedClasses, Scaled, column_of
from headrace.learning.kernel.rows import Rows
from headrace.learning.models.preparing import Scale
from headrace.learning.task import Label


class Way(NamedTuple):
    """An optimizer for the kernel.

    Parameters
    ----------
    loop
        Its name in the loops.
    numbers
        The attributes with a number for each column, two at most.
    settings
        The attributes with its parameters.
    """

    loop: str
    numbers: tuple[str, ...]
    settings: tuple[str, ...]


LOSSES = {linear_model.LogisticRegression: optim.losses.Log, linear_model.LinearRegression: optim.losses.Squared}
"""The models, each with its loss."""

WAYS: dict[type, Way] = {
    optim.SGD: Way("PLAIN", (), ("learning_rate",)),
    optim.Momentum: Way("MOMENTUM", ("s",), ("learning_rate", "rho")),
    optim.FTRLProximal: Way("FTRL", ("z", "n"), ("alpha", "beta", "l1", "l2")),
}
"""The optimizers."""


class Descent(Linear):
    """A model that learns by gradient descent."""

    def __init__(self, step: Scale, model: Any):
        super().__init__(step, model)
        self._way = WAYS[type(model.optimizer)]
        self._is_logistic = type(model) is linear_model.LogisticRegression
        self.kind = "binary" if self._is_logistic else "regression"

    @classmethod
    def of(cls, step: Scale, model: Any) -> "Descent | None":
        """Return a model for the kernel; None if it is set as no model of the catalogue."""
        loss, optimizer, constant = model.loss, model.optimizer, optim.schedulers.Constant
        if type(loss) is not LOSSES[type(model)] or any(weight != 1.0 for weight in vars(loss).values()):
            return None
        if type(optimizer) not in WAYS or type(model.intercept_lr) is not constant:
            return None
        if model.l1 or type(model.initializer) is not optim.initializers.Zeros:
            return None
        is_ftrl = type(optimizer) is optim.FTRLProximal
        if model.l2 if is_ftrl else type(optimizer.lr) is not constant:
            return None
        return cls(step, model)

    def _learn(self, loops: Any, scaled: Scaled, labels: Sequence[Label], raws: Floats) -> tuple[int, Any]:
        model, way = self.model, self._way
        weights = column_of(model._weights, scaled.names)
        more = np.zeros((2, len(scaled.names)))
        for number, name in enumerate(way.numbers):
            more[number] = column_of(getattr(model.optimizer, name), scaled.names)
        settings = np.zeros(8)
        settings[:4] = model.intercept, model.intercept_lr.learning_rate, model.l2, model.clip_gradient
        settings[4 : 4 + len(way.settings)] = [getattr(model.optimizer, name) for name in way.settings]
        done = loops.descend_rows(
            loops.SIGN if self._is_logistic else loops.NUMBER, getattr(loops, way.loop), scaled.starts, scaled.columns,
            scaled.before, scaled.after, np.array(labels, np.float64), weights, more, settings, loops.POWERS, raws,
        )  # fmt: skip
        return done, (weights, more, float(settings[0]))

    def _put(self, folded: Folded) -> None:
        model, (weights, more, intercept) = self.model, folded.learned
        for name, weight in zip(folded.names, weights.tolist(), strict=True):
            model._weights[name] = weight
        for attribute, numbers in zip(self._way.numbers, more.tolist(), strict=False):
            getattr(model.optimizer, attribute).update(zip(folded.names, numbers, strict=True))
        model.intercept = intercept
        model.optimizer.n_iterations += folded.done

    def predict(self, loops: Any, rows: Rows, numbers: Sequence[int]) -> Floats:
        """Compute the sum of weights and values of some rows, which have no strings; no number where only the general way can."""
        starts, columns, values, is_scaled = rows.arrays(len(rows))
        names = rows.columns
        _, means, variances = self._scaling(names)
        raws = np.empty(len(numbers))
        loops.predict_rows(
            np.array(numbers, np.int64), starts, columns, values, is_scaled, means, variances,
            column_of(self.model._weights, names), float(self.model.intercept), loops.HALF, raws,
        )  # fmt: skip
        return raws

    def answer(self, loops: Any, raws: Floats, cutoff: float | None) -> Predicted | PredictedClasses:
        """Say what the model predicts, from the sums of weights and values."""
        if self._is_logistic:
            return super().answer(loops, raws, cutoff)
        return Predicted(raws, raws.tolist(), [None] * len(raws))
