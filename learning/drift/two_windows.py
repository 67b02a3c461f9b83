"""The base of detectors that test each window of a feature's values against a reference window."""

from abc import ABC, abstractmethod
from typing import Any

from headrace.learning.drift.change import Change
from headrace.learning.drift.detector import Weight

PARTS = 10
"""A tenth of a window is enough to be weighed. Of fewer values the statistics are far from their limits, and chance alone passes thresholds."""


class TwoWindows(ABC):
    """A detector that compares windows, which do not overlap, with a reference: the first window after the start or after a detection.

    `weigh` compares the part of a window that has come with the reference, against the threshold for so few values. It decides nothing:
    a signal comes at the end of a window alone.

    Each window is tested once, when it is full. So the number of tests is known, and with it the chance of a false alarm: at most `alpha`
    in each `window` values for all features together, if `among` is the number of features that are tested (Bonferroni's correction).

    Parameters
    ----------
    window
        The number of values in a window.
    alpha
        The chance of a false alarm in one window, for all features together.
    among
        The number of features that are tested.
    """

    def __init__(self, window: int, alpha: float, among: int):
        self.window = window
        self.alpha = alpha
        self.among = among
        self._values: list[Any] = []
        self._has_reference = False

    @property
    def level(self) -> float:
        """The significance level of one test."""
        return self.alpha / self.among

    def _add(self, value: float | str) -> Change | None:
        """Add one value; return the change if it ends a window that differs from the reference."""
        self._values.append(value)
        if len(self._values) < self.window:
            return None
        values, self._values = self._values, []
        if not self._has_reference:
            self._has_reference = True
            self._learn(values)
            return None
        weight = self._compare(values)
        if weight is None or weight.statistic <= weight.threshold:
            return None
        self._has_reference = False
        before, after = self._describe(values)
        return Change(before, after, self.window, self.window, weight.statistic, weight.threshold)

    def weigh(self) -> Weight | None:
        """Compare the values of the window that is not complete yet with the reference; None without a reference or with too few values."""
        is_enough = len(self._values) * PARTS >= self.window
        return self._compare(self._values) if self._has_reference and is_enough else None

    def _paired(self, values: list[Any]) -> float:
        """Return the size of two equal windows that tell as much as the reference and these values: the harmonic mean of both sizes."""
        return 2 * self.window * len(values) / (self.window + len(values))

    @abstractmethod
    def _learn(self, values: list[Any]) -> None:
        """Make a window the reference."""

    @abstractmethod
    def _compare(self, values: list[Any]) -> Weight | None:
        """Test values against the reference, at most `window` of them; None if there is nothing to compare."""

    @abstractmethod
    def _describe(self, values: list[Any]) -> tuple[float, float]:
        """Return the means of the reference and of a window, or the shares of the category whose share changed most."""
