"""Half-space trees: random trees that count how many records of the last window came to each part of the space."""

from typing import Annotated

from msgspec import Meta
from river import anomaly
from river.tree.padded import make_padded_tree

from headrace.learning.models.detecting import MinMax, PreparedDetector
from headrace.learning.models.preparing import Numbers
from headrace.learning.parameters import Seed
from headrace.learning.tags import tagged

FeatureTrees = Annotated[int, Meta(ge=1, le=100)]
Height = Annotated[int, Meta(ge=1, le=12)]
Rows = Annotated[int, Meta(ge=10, le=10_000)]

PADDING = 0.15
"""As in River: how near to the end of a range a split may be."""


@tagged("half-spaces/1", first=list[dict[str, float | int | bool]])
class HalfSpaces(anomaly.HalfSpaceTrees):
    """River's half-space trees, to the bit where all records have the same features.

    River's trees split on the features of the first record alone. These are built after the first window, in which nothing is scored
    anyway, and know the features of all its records. A feature that comes later counts for nothing.

    Attributes
    ----------
    first
        The records up to the end of the first window, which the trees then learn.
    """

    def __init__(self, n_trees: int = 10, height: int = 8, window_size: int = 250, seed: int | None = None):
        super().__init__(n_trees, height, window_size, seed=seed)
        self.first: list[Numbers] = []

    def learn_one(self, x: Numbers) -> None:
        """Update the trees; in the first window, keep the record."""
        if self.trees:
            super().learn_one(x)
            return
        self.first.append(x)
        if len(self.first) < self.window_size:
            return
        names, rows, self.first = sorted({name for row in self.first for name in row}), self.first, []
        if not names:
            return
        self.trees = [
            make_padded_tree(
                limits=dict.fromkeys(names, (0.0, 1.0)),
                height=self.height,
                padding=PADDING,
                rng=self.rng,
                r_mass=0,
                l_mass=0,
            )
            for _ in range(self.n_trees)
        ]
        self._tree_nodes = [list(tree.iter_dfs()) for tree in self.trees]
        for row in rows:
            super().learn_one(row)

    def score_one(self, x: Numbers) -> float | None:
        """Return how strange a record is, from 0 to 1; None in the first window."""
        return None if self._first_window else super().score_one(x)


def half_space_trees(
    trees: FeatureTrees = 25, height: Height = 8, window_size: Rows = 250, seed: Seed = 42
) -> PreparedDetector:
    """Make half-space trees on numbers scaled to 0 to 1: a record is strange if few of the last window came near it.

    A string has a column for each value, which tells little here: the step `frequency` makes it a number, low for rare values.

    Parameters
    ----------
    trees
        The number of trees.
    height
        How often each tree splits the space: it has 2 to this power leaves.
    window_size
        The records of a window. The first one is not scored; then a record is compared with those of the window before.
    seed
        Seed of the splits.

    Examples
    --------
    >>> model = half_space_trees()
    >>> for number in range(500):
    ...     model.learn_one({"size": float(number % 10), "weight": 40.0 + number % 7})
    >>> round(model.score_one({"size": 5.0, "weight": 43.0}), 2), round(model.score_one({"size": 5.0, "weight": 90.0}), 2)
    (0.97, 0.98)

    References
    ----------
    `river.anomaly.HalfSpaceTrees`; Tan, Ting and Liu, "Fast anomaly detection for streaming data", 2011.
    """
    return PreparedDetector(MinMax(), HalfSpaces(trees, height, window_size, seed))
