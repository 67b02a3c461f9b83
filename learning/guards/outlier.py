"""The guard `outlier`: it finds numbers that are too far from the usual ones to be learned."""

from typing import ClassVar

from river import stats

from headrace.learning.guards.guard import Compared
from headrace.learning.signals import Notice
from headrace.learning.tags import tagged
from headrace.learning.task import Outlier, Task, Value

FEATURES_MAX = 1_000
"""The most features whose numbers are looked at: the first ones that come."""

DEVIATION = 1.349
"""The distance between the quartiles of a normal distribution, in standard deviations."""

REPEATING = 16
"""If one number of so many or more is the same as the one before it, the quartiles say little: of a flag that is seldom set all are 0."""


@tagged("spread/1")
class Spread:
    """The quartiles of a feature's numbers so far, and how far from their median they have come.

    Attributes
    ----------
    count, repeated
        The numbers that were added, and those of them that were the same as the one before.
    last
        The number that was added last.
    reach
        The largest distance from the median among the numbers that were not too far from it.
    low, middle, high
        The quartiles.
    """

    def __init__(self) -> None:
        self.count = self.repeated = 0
        self.last = self.reach = 0.0
        self.low, self.middle, self.high = stats.Quantile(0.25), stats.Quantile(0.5), stats.Quantile(0.75)

    def update(self, value: float, *, is_far: bool) -> None:
        """Add a number; `is_far` tells that it was found to be too far out."""
        self.repeated += self.count > 0 and value == self.last
        self.count += 1
        self.last = value
        if not is_far and self.count > 1:
            self.reach = max(self.reach, abs(value - self.middle.get()))
        self.low.update(value)
        self.middle.update(value)
        self.high.update(value)

    def distance(self, value: float) -> float:
        """Tell how far a number lies from the median: in standard deviations, as the quartiles tell them; 0 while all are alike.

        Where many numbers repeat, such as flags and small counts, one unit is at least the largest distance so far: 0 and 1 are the usual
        values of a flag, however seldom it is set.
        """
        spread = (self.high.get() - self.low.get()) / DEVIATION
        if self.repeated * REPEATING >= self.count:
            spread = max(spread, self.reach)
        return abs(value - self.middle.get()) / spread if spread > 0 else 0.0


@tagged("outlier/1")
class OutlierGuard:
    """Keeps a sample from the model if one of its numbers is far out, by a robust z-score; strings and booleans are not looked at.

    What is refused is counted in the quartiles too, so a level that has changed for good is taken after a while. Of a feature whose numbers
    repeat, such as a flag or a small count, what is as far out as the others have been is usual.

    Parameters
    ----------
    settings
        How far is too far, and after how many numbers of a feature it is looked at.

    Attributes
    ----------
    spreads
        The name of each feature, with its quartiles.

    Examples
    --------
    >>> guard = OutlierGuard(Outlier(after=100))
    >>> all(guard.find_fault({"price": number % 10}) is None for number in range(200))
    True
    >>> guard.find_fault({"price": 9000.0})
    "the feature 'price' is 9000.0, which is 2416.4 times the usual distance from its median 4.0681."

    References
    ----------
    Jain and Chlamtac, "The P2 algorithm for dynamic calculation of quantiles and histograms without storing observations", 1985;
    `river.stats.Quantile`.
    """

    name: ClassVar[str] = "outlier"
    asks: ClassVar[str] = ""
    admits: ClassVar[bool] = True

    def __init__(self, settings: Outlier):
        self.bound = settings.bound
        self.after = settings.after
        self.spreads: dict[str, Spread] = {}

    @classmethod
    def of(cls, task: Task) -> "OutlierGuard | None":
        """Make the guard of a task that quarantines outliers."""
        settings = task.guard.outlier
        return cls(settings) if isinstance(settings, Outlier) else None

    def compare(self, compared: Compared) -> Notice | None:
        """Let every label be."""

    def find_fault(self, features: dict[str, Value]) -> str | None:
        """Say which number is too far out, and add all numbers to the quartiles."""
        fault = None
        for name, value in features.items():
            if type(value) is not float and type(value) is not int:
                continue
            spread = self.spreads.get(name)
            if spread is None:
                if len(self.spreads) == FEATURES_MAX:
                    continue
                spread = self.spreads[name] = Spread()
            far = spread.distance(value) if spread.count >= self.after else 0.0
            if fault is None and far > self.bound:
                fault = (
                    f"the feature '{name}' is {value!r}, which is {far:.1f} times the usual distance from its median "
                    f"{spread.middle.get():g}."
                )
            spread.update(float(value), is_far=far > self.bound)
        return fault

    def restart(self) -> None:
        """Go on: the features do not depend on the champion."""
