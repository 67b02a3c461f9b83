"""Cells: the categories of two windows with their counts, the rare ones together."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

CELLS_MAX = 50
"""The most categories that have a cell of their own."""

CELL_MIN = 10
"""The least number of values, in both windows together, of a category with a cell of its own: five expected in each (Cochran's rule)."""


class Cell(NamedTuple):
    """A category with its counts in the reference and in the current window."""

    category: str
    before: int
    after: int


def pair_counts(before: Mapping[str, int], after: Mapping[str, int]) -> list[Cell]:
    """Pair the counts of two windows by category; all categories but the most frequent share the last cell, whose category is empty.

    The frequent categories are chosen by the count in both windows together. A choice by the counts of the reference alone would favour
    categories that were frequent there by chance, and each would seem to have become rarer since.

    Examples
    --------
    >>> pair_counts({"red": 60, "blue": 38, "pink": 2}, {"red": 50, "blue": 50})
    [Cell(category='red', before=60, after=50), Cell(category='blue', before=38, after=50), Cell(category='', before=2, after=0)]
    """
    both = Counter(before) + Counter(after)
    order = sorted(both, key=lambda category: (-both[category], category))
    frequent = [category for category in order[:CELLS_MAX] if both[category] >= CELL_MIN]
    cells = [Cell(category, before.get(category, 0), after.get(category, 0)) for category in frequent]
    rest = (sum(counts.values()) - sum(cell[at] for cell in cells) for at, counts in ((1, before), (2, after)))  # type: ignore[misc]
    last = Cell("", *rest)
    return [*cells, last] if last.before or last.after else cells


def most_changed(cells: list[Cell]) -> Cell:
    """Return the cell whose count changed most; the first of several."""
    return max(cells, key=lambda cell: abs(cell.after - cell.before))
