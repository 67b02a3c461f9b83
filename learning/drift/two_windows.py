"""The base of detectors that test each window of a feature's values against a reference window."""

from abc import ABC, abstractmethod
from typing import Any

from headrace.learning.drift.change import Change


class TwoWindows(ABC):
    """A detector that compares windows, which do not overlap, with a reference: the first window after the start or after a detection.

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
        change = self._compare(values)
        if change:
            self._has_reference = False
        return change

    @abstractmethod
    def _learn(self, values: list[Any]) -> None:
        """Make a window the reference."""

    @abstractmethod
    def _compare(self, values: list[Any]) -> Change | None:
        """Test a window against the reference."""
