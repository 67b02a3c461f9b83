"""Learning rates: a model's rate is read and set, wherever the model keeps it."""

from collections.abc import Iterator
from typing import Any

from headrace.learning.tags import tagged

RATE = "learning_rate"


def holders(model: Any) -> Iterator[Any]:
    """Yield the objects of a model that hold its learning rate as a number named `learning_rate`; none for a model without one.

    Examples
    --------
    >>> from headrace.learning.models import build
    >>> [holder.learning_rate for holder in holders(build("logistic", "binary"))]
    [0.005]
    >>> list(holders(build("hoeffding_tree", "binary")))
    []
    """
    last = getattr(model, "_last_step", model)
    if type(getattr(last, RATE, None)) is float:
        yield last
    optimizers = [getattr(last, "optimizer", None)]
    if isinstance(others := getattr(last, "optimizers", None), dict):
        optimizers += others.values()
    for optimizer in optimizers:
        schedule = getattr(optimizer, "lr", None)
        if type(getattr(schedule, RATE, None)) in (int, float):
            yield schedule


@tagged("rate/1")
class Rate:
    """The change of an arm's learning rate: a factor that goes back to 1 within a number of updates.

    The rate is changed for the time of one update only, so a model that is saved always has its own rate.

    Attributes
    ----------
    factor
        By what the rate is multiplied at first.
    over
        Updates until it is the model's own again; 0 while it is.
    left
        Those that are left.

    Examples
    --------
    >>> from headrace.learning.models import build
    >>> rate, model = Rate(), build("logistic", "binary")
    >>> rate.change(5.0, over=4)
    >>> with_rate = []
    >>> for _ in range(5):
    ...     usual = rate.apply(model)
    ...     with_rate.append([holder.learning_rate for holder in holders(model)])
    ...     rate.restore(model, usual)
    >>> with_rate
    [[0.025], [0.02], [0.015], [0.01], [0.005]]
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self.over = self.left = 0

    def change(self, factor: float, over: int) -> None:
        """Change the rate for so many updates."""
        self.factor, self.over, self.left = factor, over, over

    def apply(self, model: Any) -> float | None:
        """Change the rate of a model for the update that comes now; return its own rate, None if it has none."""
        share = self.left / self.over if self.over else 0.0
        self.left = max(self.left - 1, 0)
        usual: float | None = None
        for holder in holders(model):
            usual = holder.learning_rate
            holder.learning_rate = usual * (1.0 + (self.factor - 1.0) * share)
        return usual

    def restore(self, model: Any, usual: float | None) -> None:
        """Give a model its own rate back."""
        if usual is not None:
            for holder in holders(model):
                holder.learning_rate = usual
