"""PSI: drift of a feature's distribution, by the population stability index of two windows."""

from bisect import bisect_left
from collections import Counter
from math import inf, log, nextafter
from statistics import fmean
from typing import Any, ClassVar

from scipy.special import chdtri

from headrace.learning.drift.cells import Cell, most_changed, pair_counts
from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series, Weight
from headrace.learning.drift.two_windows import TwoWindows
from headrace.learning.parameters import Count, Level, Positive, Window
from headrace.learning.tags import tagged

BINS = 10
"""The number of bins of a number, by the quantiles of the reference: with as many values in each, the usual choice for the index."""


@tagged("psi/1", _values=list[float | str], _edges=list[float], _counts=dict[str, int])
class Psi(TwoWindows):
    """Signals when the population stability index of a window against the reference window exceeds a bound, for numbers and strings.

    The index is the sum of (q - p) log(q / p) over the cells, with the shares p before and q after. The cells of a number are ten bins
    between the quantiles of the reference, and each value that fills more than a bin has a cell of its own. The cells of strings are the
    50 most frequent categories, and one for the rest. Half a value is added to each count, so that no share is 0.

    Sampling noise alone gives an index of about (cells - 1) * 2 / `window`, and without a change the index is distributed like chi-square
    times 2 / `window`. So the threshold is the larger of `bound` and the quantile of that distribution at the level `alpha` / `among`. With
    1,000 values the bound is nearly always the larger; with 100 it is the noise.

    `before` and `after` are the means of a number. For strings they are the shares of the category whose share changed most.

    Parameters
    ----------
    bound
        The index that counts as a change. Usual bounds are 0.1 for a moderate and 0.2 for a large change.
    window
        The number of values in a window.
    alpha
        The chance that noise exceeds the threshold in one window, for all features together.
    among
        The number of features that are tested.

    Examples
    --------
    >>> detector = Psi()
    >>> for at in range(4000):
    ...     change = detector.update("card" if at % 10 < (2 if at < 2000 else 5) else "cash")
    ...     if change:
    ...         print(at, change.before, change.after, round(change.statistic, 2), change.threshold)
    2999 0.8 0.5 0.41 0.2

    References
    ----------
    Yurdakul and Naranjo, "Statistical properties of the population stability index", Journal of Risk Model Validation 14 (4), 2020.
    """

    name: ClassVar[str] = "psi"
    takes: ClassVar[frozenset[Series]] = frozenset({"errors", "numbers", "strings"})

    def __init__(self, bound: Positive = 0.2, window: Window = 1_000, alpha: Level = 0.001, among: Count = 1):
        super().__init__(window, alpha, among)
        self.bound = bound
        self._is_text = False
        self._edges: list[float] = []  # of the bins of a number; each bin has its upper edge
        self._counts: dict[str, int] = {}  # of the reference, by category or by the number of the bin
        self._mean = 0.0  # of a number in the reference

    def update(self, value: float | str, /) -> Change | None:
        """Add one value; return the change if this value ends a window that differs from the reference.

        A value of the other kind, a string after numbers or a number after strings, begins a new reference.
        """
        is_text = isinstance(value, str)
        if is_text != self._is_text:
            self._is_text, self._has_reference, self._values = is_text, False, []
        return self._add(value if is_text else float(value))

    def _learn(self, values: list[Any]) -> None:
        if not self._is_text:
            self._mean = fmean(values)
            self._edges = cut_edges(sorted(values))
        self._counts = dict(self._count(values))

    def _count(self, values: list[Any]) -> Counter[str]:
        if self._is_text:
            return Counter(values)
        return Counter(str(bisect_left(self._edges, value)) for value in values)

    def _cells(self, values: list[Any]) -> list[Cell]:
        counts = self._count(values)
        if self._is_text:
            return pair_counts(self._counts, counts)
        names = map(str, range(len(self._edges) + 1))
        return [Cell(name, self._counts.get(name, 0), counts[name]) for name in names]

    def _compare(self, values: list[Any]) -> Weight:
        cells = self._cells(values)
        total_before, total_after = self.window + len(cells) / 2, len(values) + len(cells) / 2
        shares = [((cell.before + 0.5) / total_before, (cell.after + 0.5) / total_after) for cell in cells]
        index = sum((after - before) * log(after / before) for before, after in shares)
        noise = float(chdtri(max(len(cells) - 1, 1), self.level)) * 2 / self._paired(values)
        return Weight(index, max(self.bound, noise))

    def _describe(self, values: list[Any]) -> tuple[float, float]:
        if not self._is_text:
            return self._mean, fmean(values)
        most = most_changed(self._cells(values))
        return most.before / self.window, most.after / self.window


def cut_edges(values: list[float]) -> list[float]:
    """Cut sorted values into bins of equal counts; return the upper edge of each bin but the last.

    A value at two edges or more gets a bin of its own, so that a number that is nearly always 0 has bins below, at and above 0.

    Examples
    --------
    >>> cut_edges([float(value) for value in range(20)])
    [2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    >>> cut_edges([0.0] * 20)
    [-5e-324, 0.0]
    """
    edges = Counter(values[len(values) * number // BINS] for number in range(1, BINS))
    lower = (nextafter(edge, -inf) for edge, times in edges.items() if times > 1)
    return sorted({*edges, *lower})
