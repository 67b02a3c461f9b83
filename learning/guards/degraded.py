"""The guard `degraded`: it finds out when the champion is worse than its last good version."""

from typing import ClassVar

from headrace.learning.guards.comparison import Comparison
from headrace.learning.guards.guard import Compared
from headrace.learning.signals import Notice
from headrace.learning.tags import tagged
from headrace.learning.task import LAST_GOOD, Task, Value


@tagged("degraded/1")
class Degraded:
    """Compares the champion with its last good version, which answers beside it and learns no more.

    The comparison is that of `Comparison`.

    Examples
    --------
    >>> from headrace.learning.prediction import Prediction
    >>> guard = Degraded(Task(name="ads", kind="binary"))
    >>> predictions = {"champion": Prediction(False), "last_good": Prediction(True)}
    >>> notices = [guard.compare(Compared(predictions, True)) for _ in range(100)]
    >>> next(number for number, notice in enumerate(notices) if notice) < 40
    True
    """

    name: ClassVar[str] = "degraded"
    asks: ClassVar[str] = "rollback"
    admits: ClassVar[bool] = False

    def __init__(self, task: Task):
        self.comparison = Comparison(task)

    @classmethod
    def of(cls, task: Task) -> "Degraded | None":
        """Make the guard of a task that has it compared with its last good version."""
        return cls(task) if LAST_GOOD in task.guard.against else None

    def compare(self, compared: Compared) -> Notice | None:
        """Compare the two answers to a question whose label has come."""
        champion, other = compared.predictions.get("champion"), compared.predictions.get(LAST_GOOD)
        if champion is None or other is None:
            return None
        found = self.comparison.update(champion, other, compared.label)
        return None if found is None else found.notice(self.name)

    def find_fault(self, features: dict[str, Value]) -> str | None:
        """Let every sample be learned."""

    def restart(self) -> None:
        """Begin again: one of the two is another model now."""
        self.comparison.restart()
