"""Chi-square: drift of a string's distribution, by the test of homogeneity on two windows."""

from collections import Counter
from typing import Any, ClassVar

from scipy.special import chdtri

from headrace.learning.drift.cells import CELL_MIN, most_changed, pair_counts
from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Series, Weight
from headrace.learning.drift.two_windows import TwoWindows
from headrace.learning.parameters import Count, Level, Window
from headrace.learning.tags import tagged


@tagged("chi_square/1", _values=list[str], _counts=dict[str, int])
class ChiSquare(TwoWindows):
    """Signals when the shares of a feature's categories in a window differ from those in the reference window.

    The reference is the first window, and the first one after each detection. The following windows do not overlap, and each is tested
    once. The 50 most frequent categories are compared, and all others as one. `before` and `after` are the shares of the category whose
    share changed most. The threshold is the quantile of chi-square at the level `alpha` / `among`.

    Parameters
    ----------
    window
        The number of values in a window. The state holds a window, and the counts of another.
    alpha
        The chance of a false alarm in one window, for all features together.
    among
        The number of features that are tested.

    Examples
    --------
    >>> detector = ChiSquare()
    >>> for at in range(4000):
    ...     change = detector.update("card" if at % 10 < (2 if at < 2000 else 3) else "cash")
    ...     if change:
    ...         print(at, change.before, change.after, round(change.statistic, 2), round(change.threshold, 2))
    2999 0.8 0.7 26.67 10.83

    References
    ----------
    Pearson, "On the criterion that a given system of deviations ... ", Philosophical Magazine 50, 1900.
    """

    name: ClassVar[str] = "chi_square"
    takes: ClassVar[frozenset[Series]] = frozenset({"strings"})

    def __init__(self, window: Window = 1_000, alpha: Level = 0.001, among: Count = 1):
        super().__init__(window, alpha, among)
        self._counts: dict[str, int] = {}

    def update(self, value: str, /) -> Change | None:
        """Add one value; return the change if this value ends a window that differs from the reference."""
        return self._add(str(value))

    def _learn(self, values: list[Any]) -> None:
        self._counts = dict(Counter(values))

    def _compare(self, values: list[Any]) -> Weight | None:
        cells, before, after = pair_counts(self._counts, Counter(values)), self.window, len(values)
        if after < before:  # in a part of a window, a rare category would be a change as soon as it comes once
            cells = [cell for cell in cells if (cell.before + cell.after) * after >= CELL_MIN / 2 * (before + after)]
        if len(cells) < 2:
            return None
        # The expected counts of a cell are its count in both windows, divided as the windows are.
        statistic = sum(
            (cell.after * before - cell.before * after) ** 2 / (before * after * (cell.after + cell.before))
            for cell in cells
        )
        return Weight(statistic, float(chdtri(len(cells) - 1, self.level)))

    def _describe(self, values: list[Any]) -> tuple[float, float]:
        most = most_changed(pair_counts(self._counts, Counter(values)))
        return most.before / self.window, most.after / self.window
