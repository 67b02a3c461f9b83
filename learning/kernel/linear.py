"""Linear models for the kernel: their state as arrays, and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from river import linear_model, optim

from headrace.learning.kernel.rows import Rows
from headrace.learning.models.preparing import Prepared, Scale
from headrace.learning.prediction import Prediction
from headrace.learning.records.names import KnownNames
from headrace.learning.records.schema import LARGEST
from headrace.learning.task import Label

LOSSES = {linear_model.LogisticRegression: optim.losses.Log, linear_model.LinearRegression: optim.losses.Squared}
"""The models that the kernel folds, each with its loss."""


Floats = npt.NDArray[np.float64]

UNSEEN = (0, 0.0, 0.0)


class Linear(NamedTuple):
    """A linear model on scaled features, whose rows the kernel can fold. It holds no state of its own: the model's is read and written.

    Parameters
    ----------
    step, model
        The preparing step, and River's model.
    is_logistic
        Whether the model answers with a probability.
    rate, intercept_rate, l2, clip
        The parameters of the model.
    """

    step: Scale
    model: Any
    is_logistic: bool
    rate: float
    intercept_rate: float
    l2: float
    clip: float

    def rows(self, names: KnownNames | None) -> Rows:
        """Begin to collect rows for this model; `names` are those that may come, None for any."""
        return Rows(self.step.strings, names)

    def fold(self, loops: Any, rows: Rows, labels: Sequence[Label], count: int) -> "Folded":
        """Compute what the model predicts for the first rows, and what it is once it has learned them; the model itself stays as it is.

        Parameters
        ----------
        loops
            The compiled loops.
        rows, labels
            The rows, and the label of each.
        count
            The number of rows.
        """
        starts, places, values, is_scaled = rows.arrays(count)
        columns = rows.columns[: int(places.max()) + 1] if len(places) else []
        counts, means, variances, held = self._state(columns)
        settings = np.array([self.model.intercept, self.rate, self.intercept_rate, self.l2, self.clip])
        raws = np.empty(count)
        loss = loops.SIGN if self.is_logistic else loops.NUMBER
        done = loops.fold_rows(
            loss, starts, places, values, is_scaled, np.array(labels[:count], np.float64), counts, means, variances,
            held, settings, loops.HALF, raws,
        )  # fmt: skip
        return Folded(done, raws, columns, is_scaled, counts, means, variances, held, float(settings[0]))

    def predict(self, loops: Any, rows: Rows, numbers: Sequence[int]) -> Floats:
        """Compute the sum of weights and values of some rows, which have no strings; no number where only the general way can."""
        starts, places, values, is_scaled = rows.arrays(len(rows))
        _, means, variances, held = self._state(rows.columns)
        raws = np.empty(len(numbers))
        loops.predict_rows(
            np.array(numbers, np.int64), starts, places, values, is_scaled, means, variances, held,
            float(self.model.intercept), loops.HALF, raws,
        )  # fmt: skip
        return raws

    def answer(self, loops: Any, raws: Floats, cutoff: float | None) -> "Predicted":
        """Say what the model predicts, from the sums of weights and values."""
        if not self.is_logistic:
            return Predicted(raws, raws.tolist(), [None] * len(raws))
        p = np.empty(len(raws))
        loops.find_shares(raws, p)
        values = p > 1.0 - p if cutoff is None else p >= cutoff
        shares: list[float] = p.tolist()
        if len(p) and (p.min() == 0.0 or p.max() == 1.0):  # there River's sigmoid gives whole numbers
            shares = [int(share) if share in {0.0, 1.0} else share for share in shares]
        return Predicted(values, values.tolist(), [*shares])

    def _state(self, columns: Sequence[str]) -> tuple[npt.NDArray[np.int64], Floats, Floats, Floats]:
        """Read counts, means, variances and weights of the columns."""
        seen, weights = self.step.seen, self.model._weights
        known = [seen.get(name, UNSEEN) for name in columns]
        return (
            np.array([one[0] for one in known], np.int64),
            np.array([one[1] for one in known], np.float64),
            np.array([one[2] for one in known], np.float64),
            np.array([weights.get(name, 0.0) for name in columns], np.float64),
        )

    def put(self, folded: "Folded") -> None:
        """Let the model be what it is once it has learned rows; all of them must have been folded."""
        seen, model = self.step.seen, self.model
        parts = (folded.is_scaled, folded.counts, folded.means, folded.variances, folded.weights)
        for name, is_scaled, count, mean, variance, weight in zip(
            folded.columns, *(part.tolist() for part in parts), strict=False
        ):
            if is_scaled:
                seen[name] = count, mean, variance
            model._weights[name] = weight
        model.intercept = folded.intercept
        model.optimizer.n_iterations += folded.done


class Predicted(NamedTuple):
    """What a model predicts for many rows.

    Parameters
    ----------
    array, values
        The predicted labels.
    shares
        The probabilities of true; None for a regression.
    """

    array: npt.NDArray[Any]
    values: list[Label]
    shares: list[float | None]

    def prediction(self, number: int) -> Prediction:
        """Give the prediction for a row."""
        share = self.shares[number]
        return Prediction(self.values[number], None if share is None else {False: 1.0 - share, True: share})

    def errors(self, labels: Sequence[Label]) -> list[float]:
        """Compute the error of each prediction, as `Arm.score` does; there may be fewer labels than predictions."""
        y = np.array(labels, np.float64)
        if self.array.dtype == np.bool_:
            wrong: list[float] = (self.array[: len(y)] != (y != 0.0)).astype(np.float64).tolist()
            return wrong
        apart: list[float] = np.minimum(np.abs(y - self.array[: len(y)]), LARGEST).tolist()
        return apart


class Folded(NamedTuple):
    """What the kernel has computed.

    Parameters
    ----------
    done
        The number of rows; less than there were if one needs the general way.
    raws
        The sum of weights and values of each row, before it was learned.
    columns, is_scaled, counts, means, variances, weights, intercept
        The state after these rows, by column.
    """

    done: int
    raws: npt.NDArray[np.float64]
    columns: Sequence[str]
    is_scaled: npt.NDArray[np.bool_]
    counts: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]
    variances: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    intercept: float


def linear_of(model: Any) -> Linear | None:
    """Return a model for the kernel; None if it is none of those that the kernel folds.

    Examples
    --------
    >>> from headrace.learning.models import build
    >>> linear_of(build("logistic", "binary")).rate, linear_of(build("hoeffding_tree", "binary"))
    (0.005, None)
    """
    if type(model) is not Prepared or type(model.step) is not Scale or type(model.model) not in LOSSES:
        return None
    river: Any = model.model
    loss, optimizer, intercept_rate = river.loss, river.optimizer, river.intercept_lr
    if type(loss) is not LOSSES[type(river)] or any(weight != 1.0 for weight in vars(loss).values()):
        return None
    constant = optim.schedulers.Constant
    if type(optimizer) is not optim.SGD or type(optimizer.lr) is not constant or type(intercept_rate) is not constant:
        return None
    if river.l1 or type(river.initializer) is not optim.initializers.Zeros:
        return None
    return Linear(
        model.step,
        river,
        type(river) is linear_model.LogisticRegression,
        float(optimizer.lr.learning_rate),
        float(intercept_rate.learning_rate),
        float(river.l2),
        float(river.clip_gradient),
    )
