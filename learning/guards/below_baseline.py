"""The guard `below_baseline`: it finds out when an answer that needs no features is better than the champion."""

from typing import ClassVar

from headrace.learning.guards.comparison import Comparison
from headrace.learning.guards.guard import Compared
from headrace.learning.signals import Notice
from headrace.learning.tags import tagged
from headrace.learning.task import Task, Value, baselines


@tagged("below-baseline/1")
class BelowBaseline:
    """Compares the champion with each baseline of the task.

    The comparisons are those of `Comparison`; of two, each may raise a false alarm half as often as `alpha` says.

    Examples
    --------
    >>> from headrace.learning.prediction import Prediction
    >>> guard = BelowBaseline(Task(name="ads", kind="binary"))
    >>> answers = {"champion": Prediction(False), "no_change": Prediction(True), "majority": Prediction(True)}
    >>> notices = [guard.compare(Compared(answers, True)) for _ in range(100)]
    >>> next(number for number, notice in enumerate(notices) if notice) < 40
    True
    """

    name: ClassVar[str] = "below_baseline"
    asks: ClassVar[str] = "rollback"
    admits: ClassVar[bool] = False

    def __init__(self, task: Task):
        names = baselines(task.kind, task.arms)
        self.comparisons = {name: Comparison(task, among=len(names)) for name in names}

    @classmethod
    def of(cls, task: Task) -> "BelowBaseline | None":
        """Make the guard of a task that has it compared with the baselines, and has one."""
        return cls(task) if "baselines" in task.guard.against and baselines(task.kind, task.arms) else None

    def compare(self, compared: Compared) -> Notice | None:
        """Compare the champion's answer with those of the baselines."""
        champion = compared.predictions.get("champion")
        if champion is None:
            return None
        found = None
        for name, comparison in self.comparisons.items():
            other = compared.predictions.get(name)
            if other is not None:
                found = comparison.update(champion, other, compared.label) or found
        return None if found is None else found.notice(self.name)

    def find_fault(self, features: dict[str, Value]) -> str | None:
        """Let every sample be learned."""

    def restart(self) -> None:
        """Begin again: the champion is another model now."""
        for comparison in self.comparisons.values():
            comparison.restart()
