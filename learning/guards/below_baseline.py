"""The guard `below_baseline`: it finds out when an answer that needs no features is better than the champion."""

from typing import ClassVar

from headrace.learning.guards.comparison import Comparison
from headrace.learning.guards.guard import Compared
from headrace.learning.guards.plain_answers import PlainAnswers
from headrace.learning.signals import Notice
from headrace.learning.tags import tagged
from headrace.learning.task import Task, Value


@tagged("below-baseline/1")
class BelowBaseline:
    """Compares the champion with the last label and with the most frequent one, or for a regression with the mean.

    Each of the two comparisons is that of `Comparison`, and may raise a false alarm half as often as `alpha` says.

    Examples
    --------
    >>> from headrace.learning.prediction import Prediction
    >>> guard = BelowBaseline(Task(name="ads", kind="binary"))
    >>> notices = [guard.compare(Compared({"champion": Prediction(False)}, True)) for _ in range(100)]
    >>> next(number for number, notice in enumerate(notices) if notice) < 40
    True
    """

    name: ClassVar[str] = "below_baseline"
    asks: ClassVar[str] = "rollback"
    admits: ClassVar[bool] = False

    def __init__(self, task: Task):
        self.answers = PlainAnswers(task.kind)
        self.last = Comparison(task, among=2)
        self.usual = Comparison(task, among=2)

    @classmethod
    def of(cls, task: Task) -> "BelowBaseline | None":
        """Make the guard of a task that has it compared with the baselines."""
        return cls(task) if "baselines" in task.guard.against else None

    def compare(self, compared: Compared) -> Notice | None:
        """Compare the champion's answer with the plain ones, and note the label for the next ones."""
        champion, label = compared.predictions.get("champion"), compared.label
        self.answers.update(compared.earlier)
        last, usual = self.answers.last, self.answers.usual
        self.answers.update((label,))
        if champion is None or last is None or usual is None:
            return None
        found = self.last.update(champion, last, label)
        found = self.usual.update(champion, usual, label) or found
        return None if found is None else found.notice(self.name)

    def find_fault(self, features: dict[str, Value]) -> str | None:
        """Let every sample be learned."""

    def restart(self) -> None:
        """Begin again: the champion is another model now."""
        self.last.restart()
        self.usual.restart()
