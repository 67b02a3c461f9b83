"""The probabilities of True, counted by label: in fixed cells, or exactly."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from msgspec import Meta

from headrace.learning.metrics.tallies.tally import Tally
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

CellCounts = Annotated[list[Count], Meta(min_length=CELLS, max_length=CELLS)]


class Groups(NamedTuple):
    """Predictions in groups of one probability, or of one cell, in the ascending order of their probabilities.

    Parameters
    ----------
    positives, negatives
        How many predictions of each group had the label True, and how many False; not both 0.
    p
        The mean probability of True of each group.
    """

    positives: Sequence[int]
    negatives: Sequence[int]
    p: Sequence[float]


@tagged("score-histogram/1", positives=CellCounts, negatives=CellCounts, sums=CellCounts)
class ScoreHistogram(Tally):
    """Counts the probabilities of True in 962 fixed cells, by label. Merging is exact: all counts and sums are whole numbers.

    The cells become finer towards 0 and towards 1, where the probabilities of rare labels and of sure models lie: they are wide a 32nd of
    the power of 2 below p, or below 1 - p. The counts and the mean probability of each cell are known, its order is not.

    Notes
    -----
    Cells of a width that is relative to the value are those of HdrHistogram (Tene, 2012) and DDSketch (Masson, Rim, Lee: "DDSketch: a fast
    and fully-mergeable quantile sketch with relative-error guarantees", 2019).

    Examples
    --------
    >>> scores = ScoreHistogram()
    >>> for label, p in [(True, 0.75), (False, 0.25), (False, 0.7578125)]:
    ...     scores.update(label, p > 0.5, p)
    >>> scores.view()
    Groups(positives=[0, 1, 0], negatives=[1, 0, 1], p=[0.25, 0.75, 0.7578125])
    """

    name = "score_histogram"
    needs_probabilities = True

    def __init__(self) -> None:
        self.positives = [0] * CELLS
        self.negatives = [0] * CELLS
        self.sums = [0] * CELLS

    @classmethod
    def exact(cls) -> "Scores":
        """Return a new tally without cells."""
        return Scores()

    def update(self, label: Label, value: Label, p: float | None) -> None:  # noqa: ARG002
        """Count one prediction; a missing probability is 0."""
        if p is None:
            p = 0.0
        cell = bisect_right(EDGES, p)
        (self.positives if label else self.negatives)[cell] += 1
        self.sums[cell] += int(p * UNIT)

    def add(self, other: "ScoreHistogram") -> None:
        """Count all predictions of another histogram too."""
        self.positives = [one + more for one, more in zip(self.positives, other.positives, strict=True)]
        self.negatives = [one + more for one, more in zip(self.negatives, other.negatives, strict=True)]
        self.sums = [one + more for one, more in zip(self.sums, other.sums, strict=True)]

    def view(self) -> Groups:
        """Return the cells that have predictions."""
        counts = [ones + zeros for ones, zeros in zip(self.positives, self.negatives, strict=True)]
        cells = [cell for cell, count in enumerate(counts) if count]
        return Groups(
            [self.positives[cell] for cell in cells],
            [self.negatives[cell] for cell in cells],
            [self.sums[cell] / UNIT / counts[cell] for cell in cells],
        )


class Scores(Tally):
    """Keeps each probability of True exactly, by label. It grows with the predictions, so it is used for those of a window.

    Examples
    --------
    >>> scores = Scores()
    >>> for label, p in [(True, 0.75), (False, 0.25), (False, 0.7501)]:
    ...     scores.update(label, p > 0.5, p)
    >>> scores.view().p
    [0.25, 0.75, 0.7501]
    """

    name = ScoreHistogram.name
    needs_probabilities = True

    def __init__(self) -> None:
        self.positives: list[float] = []
        self.negatives: list[float] = []

    def update(self, label: Label, value: Label, p: float | None) -> None:  # noqa: ARG002
        """Count one prediction; a missing probability is 0."""
        (self.positives if label else self.negatives).append(p or 0.0)

    def add(self, other: "Scores") -> None:
        """Count all predictions of another tally too."""
        self.positives += other.positives
        self.negatives += other.negatives

    def view(self) -> Groups:
        """Return a group for each probability."""
        positives, negatives = Counter(self.positives), Counter(self.negatives)
        every = sorted(positives.keys() | negatives.keys())
        return Groups([positives.get(p, 0) for p in every], [negatives.get(p, 0) for p in every], every)
