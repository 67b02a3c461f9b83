"""The guard `label_rate`: it finds out when the labels come in other shares than before."""

from collections import deque
from collections.abc import Iterable
from math import fsum, sqrt
from typing import ClassVar

from headrace.learning.guards.guard import Compared
from headrace.learning.prediction import number
from headrace.learning.signals import Notice
from headrace.learning.tags import Count, tagged
from headrace.learning.task import Kind, Label, LabelRate, Task, Value

Plain = bool | int | float | str

SETTLE = 10
"""So many times as many labels as the short window has must have come before it, before the two are compared."""


def add_exactly(parts: list[float], value: float) -> None:
    """Add a number to a sum without rounding. The sum is kept as parts of which none has a bit in common with another.

    Examples
    --------
    >>> parts = []
    >>> for value in (1e19, 1.0, -1e19):
    ...     add_exactly(parts, value)
    >>> parts
    [1.0]

    References
    ----------
    Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", 1997.
    """
    kept = 0
    for part in parts:
        large, small = (value, part) if abs(value) >= abs(part) else (part, value)
        value = large + small
        rest = small - (value - large)
        if rest:
            parts[kept] = rest
            kept += 1
    parts[kept:] = [value] if value else []


@tagged("label-rate/1", parts=list[float], window=list[Plain], recent=dict[Plain, Count], counts=dict[Plain, Count])
class LabelRateGuard:
    """A breaker: compares the shares of the labels in a short window with those of all labels before it.

    What it finds is that the labels have changed, whether by the world or by whoever sends them: learning pauses until somebody has looked, and the
    records wait in the log.

    Parameters
    ----------
    kind
        The kind of task.
    settings
        How many labels the window has, and how far its shares may depart.

    Attributes
    ----------
    window
        The last labels.
    recent, counts
        How often each label came, in the window and before it.
    before
        The number of labels before the window.
    mean, squares
        Of a regression: the mean of the labels before the window, and the sum of the squared distances from it.
    parts
        Of a regression: numbers whose exact sum is that of the window. A plain sum would keep what a huge label has rounded away.
    armed
        Whether the shares have been within the bound since the last alarm, so that one change is told once.

    Examples
    --------
    >>> guard = LabelRateGuard("binary", LabelRate(short=100))
    >>> labels = [number % 10 == 0 for number in range(2000)] + [number % 10 != 0 for number in range(100)]
    >>> notices = [guard.compare(Compared({}, label)) for label in labels]
    >>> [(number, round(notice.before, 2), notice.after) for number, notice in enumerate(notices) if notice]
    [(2038, 0.1, 0.41)]
    """

    name: ClassVar[str] = "label_rate"
    asks: ClassVar[str] = "pause"
    admits: ClassVar[bool] = False

    def __init__(self, kind: Kind, settings: LabelRate):
        self.kind = kind
        self.short = settings.short
        self.bound = settings.bound
        self.window: deque[Label] = deque()
        self.recent: dict[Label, int] = {}
        self.counts: dict[Label, int] = {}
        self.before = 0
        self.mean = self.squares = 0.0
        self.parts: list[float] = []
        self.armed = True

    @classmethod
    def of(cls, task: Task) -> "LabelRateGuard | None":
        """Make the guard of a task that has a breaker."""
        settings = task.guard.label_rate
        return cls(task.kind, settings) if isinstance(settings, LabelRate) else None

    def compare(self, compared: Compared) -> Notice | None:
        """Note a label; return the notice when the window departs from what came before it."""
        labels = (*compared.earlier, compared.label)
        if self.kind == "regression":
            self._take_numbers(labels)
        else:
            self._take_classes(labels)
        if self.before < SETTLE * self.short:
            return None
        distance, before, after = self._numbers() if self.kind == "regression" else self._classes()
        if distance <= self.bound:
            self.armed = True
            return None
        if not self.armed:
            return None
        self.armed = False
        return Notice(
            arm=None,
            detector=self.name,
            watched="label_rate",
            direction="changed",
            before=before,
            after=after,
            width_before=self.before,
            width=self.short,
            statistic=distance,
            threshold=self.bound,
            kind="guard",
        )

    def find_fault(self, features: dict[str, Value]) -> str | None:
        """Let every sample be learned."""

    def restart(self) -> None:
        """Go on: the labels do not depend on the champion."""

    def _take_numbers(self, labels: Iterable[Label]) -> None:
        """Add numbers to the window, and those that leave it to the ones before."""
        for label in labels:
            if len(self.window) == self.short:
                value = number(self.window.popleft())
                self.before += 1
                add_exactly(self.parts, -value)
                step = value - self.mean
                self.mean += step / self.before
                self.squares += step * (value - self.mean)
            self.window.append(label)
            add_exactly(self.parts, number(label))

    def _take_classes(self, labels: Iterable[Label]) -> None:
        """Add classes to the window, and those that leave it to the ones before."""
        window, recent, counts = self.window, self.recent, self.counts
        for label in labels:
            recent[label] = recent.get(label, 0) + 1
        window.extend(labels)
        for _ in range(len(window) - self.short):
            left = window.popleft()
            recent[left] -= 1
            counts[left] = counts.get(left, 0) + 1
            self.before += 1

    def _numbers(self) -> tuple[float, float, float]:
        """Compare the means; return the distance in standard deviations, and both means."""
        after, spread = fsum(self.parts) / self.short, sqrt(self.squares / self.before)
        return (abs(after - self.mean) / spread if spread > 0 else 0.0, self.mean, after)

    def _classes(self) -> tuple[float, float, float]:
        """Compare the shares; return the distance, and both shares of the label whose share has risen most."""
        counts, short, total = self.counts, self.short, self.before
        risen, most, shares = 0.0, -1.0, (0.0, 0.0)
        for label, times in self.recent.items():
            before, after = counts.get(label, 0) / total, times / short
            rise = after - before
            if rise > 0.0:
                risen += rise
            if rise > most:
                most, shares = rise, (before, after)
        return (risen, *shares)
