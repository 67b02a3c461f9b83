"""The passive-aggressive classifier for the kernel."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from river import optim

from headrace.learning.kernel.linear import IS_COMPENSATED, Floats, Folded, Linear, Scaled, column_of, ranks_of
from headrace.learning.models.preparing import Scale
from headrace.learning.task import Label


class Passive(Linear):
    """A passive-aggressive classifier.

    The norm of a row is NumPy's, whose order of additions depends on the processor. It depends on no weight, so NumPy computes it before the loop.
    """

    @classmethod
    def of(cls, step: Scale, model: Any) -> "Passive | None":
        """Return a model for the kernel; None if it is set as no model of the catalogue."""
        is_usual = type(model.loss) is optim.losses.Hinge and model.loss.threshold == 1.0 and model.learn_intercept
        return cls(step, model) if is_usual else None

    def _learn(self, loops: Any, scaled: Scaled, labels: Sequence[Label], raws: Floats) -> tuple[int, Any]:
        model = self.model
        weights, ranks = column_of(model.weights, scaled.names), ranks_of(model.weights, scaled.names)
        settings = np.array([model.intercept, len(model.weights), model.C], np.float64)
        done = loops.pass_rows(
            scaled.starts, scaled.columns, scaled.before, scaled.after, norms(scaled), np.array(labels, np.float64),
            weights, ranks, settings, model.mode, IS_COMPENSATED, loops.TWO, raws,
        )  # fmt: skip
        return done, (weights, float(settings[0]))

    def _put(self, folded: Folded) -> None:
        weights, self.model.intercept = folded.learned
        self.model.weights.update(zip(folded.names, weights.tolist(), strict=True))


def norms(scaled: Scaled) -> Floats:
    """Compute the norm of each row as it is learned."""
    starts = scaled.starts.tolist()
    rows = [scaled.after[first:end].copy() for first, end in pairwise(starts)]
    return np.sqrt(np.array([row.dot(row) for row in rows], np.float64))
