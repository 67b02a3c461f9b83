"""The probabilities of True: their losses, and how many there were by label, in fixed cells or exactly."""

from bisect import bisect_right
from collections.abc import Sequence
from math import log
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from headrace.learning.metrics.tallies.tally import Tally, merge_means
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Label

OCTAVES = 15
"""Between 2**-16 and 1/2, each doubling of a probability is an octave."""

PARTS = 32
"""The cells of an octave, all of one width. So two probabilities in a cell differ by at most a 32nd."""

LOWER = [2.0 ** -(octave + 1) * (1 + part / PARTS) for octave in range(OCTAVES, 0, -1) for part in range(PARTS)]

EDGES = [*LOWER, 0.5, *(1 - edge for edge in reversed(LOWER))]
"""The edges between cells, ascending; an edge belongs to the cell above. Above 1/2 the cells are as fine in 1 - p as below in p.

All edges are multiples of 2**-21, so they are exact floats, and every multiple of 1/64 is one of them.
"""

CELLS = len(EDGES) + 1

UNIT = 2.0**24
"""A sum of probabilities is a whole number of 1/UNIT, so that sums do not depend on the order of their parts. Each probability is rounded down,
which keeps it in its cell. A cell has room for 2**39 predictions."""

LEAST, MOST = 1e-15, 1 - 1e-15  # River's bounds: a probability of 0 must not cost infinitely much

CellCounts = Annotated[list[Count], Meta(min_length=CELLS, max_length=CELLS)]


class Groups(NamedTuple):
    """Predictions in groups of one probability, or of one cell, in the ascending order of their probabilities; with the losses of all.

    Parameters
    ----------
    positives, negatives
        How many predictions of each group had the label True, and how many False; not both 0.
    p
        The mean probability of True of each group.
    log, squared
        The mean log loss and the mean squared error of all predictions.
    """

    positives: Sequence[int]
    negatives: Sequence[int]
    p: Sequence[float]
    log: float = 0.0
    squared: float = 0.0


@tagged("probabilities/1", positives=CellCounts, negatives=CellCounts, sums=CellCounts)
class Probabilities(Tally):
    """Counts the probabilities of True in 962 fixed cells, by label, and keeps their mean log loss and the sum of their squared errors.

    The cells become finer towards 0 and towards 1, where the probabilities of rare labels and of sure models lie: they are wide a 32nd of
    the power of 2 below p, or below 1 - p. The counts and the mean probability of each cell are known, its order is not.

    Merging of the cells is exact: all counts and sums are whole numbers. That of the losses is exact but for the rounding of floats. The log
    loss is River's running mean, to the last bit.

    Notes
    -----
    Cells of a width that is relative to the value are those of HdrHistogram (Tene, 2012) and DDSketch (Masson, Rim, Lee: "DDSketch: a fast
    and fully-mergeable quantile sketch with relative-error guarantees", 2019).

    Examples
    --------
    >>> tally = Probabilities()
    >>> for label, p in [(True, 0.75), (False, 0.25), (False, 0.7578125)]:
    ...     tally.update(label, p > 0.5, p)
    >>> groups = tally.view()
    >>> groups.positives, groups.negatives, groups.p
    ([0, 1, 0], [1, 0, 1], [0.25, 0.75, 0.7578125])
    >>> round(groups.log, 4), round(groups.squared, 4)
    (0.6645, 0.2331)
    """

    name = "probabilities"
    needs_probabilities = True

    def __init__(self) -> None:
        self.count = 0
        self.log = 0.0
        self.squared = 0.0
        self.positives = [0] * CELLS
        self.negatives = [0] * CELLS
        self.sums = [0] * CELLS

    def exact(self) -> "ExactProbabilities":
        """Return a new tally that keeps each probability."""
        return ExactProbabilities()

    def update(self, label: Label, value: Label, p: float | None) -> None:  # noqa: ARG002
        """Count one prediction; a missing probability is 0."""
        if p is None:
            p = 0.0
        held = LEAST if p < LEAST else min(p, MOST)
        cell = bisect_right(EDGES, p)
        self.sums[cell] += int(p * UNIT)
        if label:
            self.positives[cell] += 1
            loss, error = -log(held), 1.0 - p
        else:
            self.negatives[cell] += 1
            loss, error = -log(1 - held), p
        self.count = count = self.count + 1
        self.log += (1.0 / count) * (loss - self.log)
        self.squared += error * error

    def add(self, other: "Probabilities") -> None:
        """Count all predictions of another tally too."""
        self.add_losses(other)
        self.positives = [one + more for one, more in zip(self.positives, other.positives, strict=True)]
        self.negatives = [one + more for one, more in zip(self.negatives, other.negatives, strict=True)]
        self.sums = [one + more for one, more in zip(self.sums, other.sums, strict=True)]

    def add_losses(self, other: "Probabilities") -> None:
        """Count the losses of another tally too."""
        self.log = merge_means(self.count, self.log, other.count, other.log)
        self.squared += other.squared
        self.count += other.count

    def view(self) -> Groups:
        """Return the cells that have predictions, and the losses."""
        counts = [ones + zeros for ones, zeros in zip(self.positives, self.negatives, strict=True)]
        cells = [cell for cell, count in enumerate(counts) if count]
        return Groups(
            [self.positives[cell] for cell in cells],
            [self.negatives[cell] for cell in cells],
            [self.sums[cell] / UNIT / counts[cell] for cell in cells],
            self.log,
            self.squared / self.count if self.count else 0.0,
        )

    def edges(self) -> list[float]:
        """Return the lower edge of each cell that has predictions, in the order of the view."""
        pairs = zip([0.0, *EDGES], self.positives, self.negatives, strict=True)
        return [edge for edge, ones, zeros in pairs if ones or zeros]


class ExactProbabilities(Probabilities):
    """Keeps each probability of True in place of cells, by label. It grows with the predictions, so it is used for those of a window.

    Examples
    --------
    >>> tally = ExactProbabilities()
    >>> for label, p in [(True, 0.75), (False, 0.25), (False, 0.7501)]:
    ...     tally.update(label, p > 0.5, p)
    >>> tally.view().p
    [0.25, 0.75, 0.7501]
    """

    def __init__(self) -> None:
        self.count = 0
        self.log = self.squared = 0.0
        self.of_positives: list[float] = []
        self.of_negatives: list[float] = []

    def update(self, label: Label, value: Label, p: float | None) -> None:  # noqa: ARG002
        """Count one prediction; a missing probability is 0."""
        if p is None:
            p = 0.0
        (self.of_positives if label else self.of_negatives).append(p)
        held = LEAST if p < LEAST else min(p, MOST)
        loss, error = (-log(held), 1.0 - p) if label else (-log(1 - held), p)
        self.count += 1
        self.log += (1.0 / self.count) * (loss - self.log)
        self.squared += error * error

    def add(self, other: Probabilities) -> None:
        """Count all predictions of another exact tally too."""
        assert isinstance(other, ExactProbabilities)
        self.add_losses(other)
        self.of_positives += other.of_positives
        self.of_negatives += other.of_negatives

    def view(self) -> Groups:
        """Return a group for each probability, and the losses."""
        ones = len(self.of_positives)
        every, places = np.unique(np.array(self.of_positives + self.of_negatives, float), return_inverse=True)
        positives, negatives = (
            np.bincount(part, minlength=len(every)).tolist() for part in (places[:ones], places[ones:])
        )
        return Groups(positives, negatives, every.tolist(), self.log, self.squared / self.count if self.count else 0.0)
