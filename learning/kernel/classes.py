"""Softmax regression for the kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from river import optim

from headrace.learning.kernel.linear import (
    IS_COMPENSATED,
    Floats,
    Folded,
    Linear,
    PredictedClasses,
    Scaled,
    column_of,
    ranks_of,
)
from headrace.learning.models.preparing import Scale
from headrace.learning.task import Label


class Softmax(Linear):
    """A softmax regression. The first row of a class is learned in the general way, which makes room for its weights."""

    def __init__(self, step: Scale, model: Any):
        super().__init__(step, model)
        self.kind = "multiclass"
        self._classes: list[Label] = list(model.weights)
        self._numbers = {label: number for number, label in enumerate(self._classes)}

    @classmethod
    def of(cls, step: Scale, model: Any) -> "Softmax | None":
        """Return a model for the kernel; None if it is set as no model of the catalogue."""
        if type(model.loss) is not optim.losses.CrossEntropy or model.loss.class_weight:
            return None
        optimizers = [model.optimizers.get(label) for label in model.weights]
        for optimizer in optimizers:
            if type(optimizer) is not optim.SGD or type(optimizer.lr) is not optim.schedulers.Constant:
                return None
        return cls(step, model)

    def knows(self, label: Label) -> bool:
        """Tell whether a label is none of a new class."""
        return label in self._numbers

    def _room(self, count: int) -> Floats:
        return np.empty((count, len(self._classes)))

    def _learn(self, loops: Any, scaled: Scaled, labels: Sequence[Label], raws: Floats) -> tuple[int, Any]:
        model, names = self.model, scaled.names
        each = [model.weights[label] for label in self._classes]
        shape = len(each), len(names)
        weights = np.array([column_of(one, names) for one in each], np.float64).reshape(shape)
        ranks = np.array([ranks_of(one, names) for one in each], np.int64).reshape(shape)
        done = loops.sharpen_rows(
            scaled.starts, scaled.columns, scaled.before, scaled.after,
            np.array([self._numbers[label] for label in labels], np.int64), weights, ranks,
            np.array([len(one) for one in each], np.int64),
            np.array([model.optimizers[label].lr.learning_rate for label in self._classes], np.float64),
            float(model.l2), IS_COMPENSATED, raws,
        )  # fmt: skip
        return done, weights

    def _put(self, folded: Folded) -> None:
        for label, weights in zip(self._classes, folded.learned.tolist(), strict=True):
            self.model.weights[label].update(zip(folded.names, weights, strict=True))
            self.model.optimizers[label].n_iterations += folded.done

    def answer(self, loops: Any, raws: Floats, cutoff: float | None) -> PredictedClasses:  # noqa: ARG002
        """Say what the model predicts, from the probabilities."""
        values = [self._classes[number] for number in raws.argmax(axis=1).tolist()]
        return PredictedClasses(self._classes, values, raws.tolist())
