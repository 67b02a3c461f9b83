"""What the linear models of the kernel have in common: their scaled features as arrays, and what they predict for many rows."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from headrace.learning.kernel.rows import Rows
from headrace.learning.models.preparing import Scale
from headrace.learning.prediction import Prediction
from headrace.learning.records.names import KnownNames
from headrace.learning.records.schema import LARGEST
from headrace.learning.task import Kind, Label

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

UNSEEN = (0, 0.0, 0.0)

IS_COMPENSATED = sys.version_info >= (3, 12)
"""Whether `sum`, with which River multiplies two dicts, compensates for rounding."""


class Scaled(NamedTuple):
    """Rows with their numbers scaled.

    Parameters
    ----------
    names
        The name of each column.
    starts, columns
        Row i has the values from `starts[i]` to before `starts[i + 1]`, each of a column.
    before, after
        The values: as they are predicted, and as they are learned.
    """

    names: Sequence[str]
    starts: Integers
    columns: Integers
    before: Floats
    after: Floats


class Folded(NamedTuple):
    """What the kernel has computed.

    Parameters
    ----------
    done
        The number of rows; less than there were if one needs the general way.
    raws
        The sum of weights and values of each row, before it was learned.
    names
        The name of each column.
    is_scaled, counts, means, variances
        The state of the scaling after these rows, by column.
    learned
        The state of the model after these rows, as its family has it.
    """

    done: int
    raws: Floats
    names: Sequence[str]
    is_scaled: npt.NDArray[np.bool_]
    counts: Integers
    means: Floats
    variances: Floats
    learned: Any


class Linear(ABC):
    """A linear model on scaled features, whose rows the kernel can fold. It holds no state of its own: the model's is read and written.

    Parameters
    ----------
    step, model
        The preparing step, and River's model.

    Attributes
    ----------
    kind
        The kind of task that the model is for.
    """

    kind: Kind = "binary"

    def __init__(self, step: Scale, model: Any):
        self.step, self.model = step, model

    def rows(self, names: KnownNames | None) -> Rows:
        """Begin to collect rows for this model; `names` are those that may come, None for any."""
        return Rows(self.step.strings, names)

    def fold(self, loops: Any, rows: Rows, labels: Sequence[Label], count: int) -> Folded:
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
        starts, columns, values, is_scaled = rows.arrays(count)
        names = rows.columns[: int(columns.max()) + 1] if len(columns) else []
        counts, means, variances = self._scaling(names)
        scaled = Scaled(names, starts, columns, np.empty(len(values)), np.empty(len(values)))
        done = loops.scale_rows(
            starts, columns, values, is_scaled, counts, means, variances, loops.HALF, scaled.before, scaled.after
        )
        raws = self._room(done)
        learned = 0
        if done == count:
            learned, state = self._learn(loops, scaled, labels[:count], raws)
        if learned < count:  # only a row that is not learned must not be scaled either
            return self.fold(loops, rows, labels, learned if done == count else done)
        return Folded(done, raws, names, is_scaled, counts, means, variances, state)

    def _room(self, count: int) -> Floats:
        """Make room for what the model computes for rows."""
        return np.empty(count)

    @abstractmethod
    def _learn(self, loops: Any, scaled: Scaled, labels: Sequence[Label], raws: Floats) -> tuple[int, Any]:
        """Predict and learn rows, and fill in their sums of weights and values; return how many, and the state after them, as `_put` takes it."""

    def predict(self, loops: Any, rows: Rows, numbers: Sequence[int]) -> Floats | None:  # noqa: ARG002
        """Compute the sum of weights and values of some rows, which have no strings; no number where only the general way can. None if it never can."""
        return None

    def knows(self, label: Label) -> bool:  # noqa: ARG002
        """Tell whether rows with a label can be learned: whether it is not the first of a class."""
        return True

    def answer(self, loops: Any, raws: Floats, cutoff: float | None) -> "Predicted | PredictedClasses":
        """Say what the model predicts, from the sums of weights and values."""
        p = np.empty(len(raws))
        loops.find_shares(raws, p)
        values = p > 1.0 - p if cutoff is None else p >= cutoff
        shares: list[float] = p.tolist()
        if len(p) and (p.min() == 0.0 or p.max() == 1.0):  # there River's sigmoid gives whole numbers
            shares = [int(share) if share in {0.0, 1.0} else share for share in shares]
        return Predicted(values, values.tolist(), [*shares])

    def _scaling(self, names: Sequence[str]) -> tuple[Integers, Floats, Floats]:
        """Read counts, means and variances of the columns."""
        seen = self.step.seen
        known = [seen.get(name, UNSEEN) for name in names]
        return (
            np.array([one[0] for one in known], np.int64),
            np.array([one[1] for one in known], np.float64),
            np.array([one[2] for one in known], np.float64),
        )

    def put(self, folded: Folded) -> None:
        """Let the model be what it is once it has learned rows; all of them must have been folded."""
        seen = self.step.seen
        parts = (folded.is_scaled, folded.counts, folded.means, folded.variances)
        for name, is_scaled, count, mean, variance in zip(
            folded.names, *(part.tolist() for part in parts), strict=False
        ):
            if is_scaled:
                seen[name] = count, mean, variance
        self._put(folded)

    @abstractmethod
    def _put(self, folded: Folded) -> None:
        """Let River's model be what it is once it has learned rows."""


def ranks_of(weights: Mapping[str, float], names: Sequence[str]) -> Integers:
    """Give the place of each column in a dict of weights; -1 if it is not there."""
    places = {name: place for place, name in enumerate(weights)}
    return np.array([places.get(name, -1) for name in names], np.int64)


def column_of(numbers: Mapping[str, float], names: Sequence[str]) -> Floats:
    """Read one number for each column, 0 where there is none."""
    return np.array([numbers.get(name, 0.0) for name in names], np.float64)


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

    def shares_of(self, labels: Sequence[Label]) -> Sequence[float | None]:
        """Give the probabilities that are scored, for the first labels: those of true."""
        return self.shares[: len(labels)]

    def errors(self, labels: Sequence[Label]) -> list[float]:
        """Compute the error of each prediction, as `Arm.score` does; there may be fewer labels than predictions."""
        y = np.array(labels, np.float64)
        if self.array.dtype == np.bool_:
            wrong: list[float] = (self.array[: len(y)] != (y != 0.0)).astype(np.float64).tolist()
            return wrong
        apart: list[float] = np.minimum(np.abs(y - self.array[: len(y)]), LARGEST).tolist()
        return apart


class PredictedClasses(NamedTuple):
    """What a model of more than two classes predicts for many rows.

    Parameters
    ----------
    classes
        The labels that the model knows.
    values
        The predicted labels.
    p
        The probabilities of the classes, a row for each prediction.
    """

    classes: Sequence[Label]
    values: list[Label]
    p: list[list[float]]

    def prediction(self, number: int) -> Prediction:
        """Give the prediction for a row."""
        return Prediction(self.values[number], dict(zip(self.classes, self.p[number], strict=True)))

    def shares_of(self, labels: Sequence[Label]) -> Sequence[float | None]:
        """Give the probabilities that are scored, for the first labels: those of the labels."""
        places = {label: place for place, label in enumerate(self.classes)}
        return [p[places[label]] for label, p in zip(labels, self.p, strict=False)]

    def errors(self, labels: Sequence[Label]) -> list[float]:
        """Compute the error of each prediction, as `Arm.score` does; there may be fewer labels than predictions."""
        return [0.0 if value == label else 1.0 for value, label in zip(self.values, labels, strict=False)]
