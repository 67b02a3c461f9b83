"""The test of a challenger that learns beside the champion."""

from headrace.learning.prediction import Prediction
from headrace.learning.sequential import Difference
from headrace.learning.sequential.loss import PairedLoss
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Task


@tagged("background-test/2")
class BackgroundTest:
    """Tells whether a challenger is better than the champion, by a confidence sequence for the mean difference of their losses.

    Parameters
    ----------
    task
        The task, whose guard names the loss and the margin by which the challenger must be better.
    give_up
        The labels after which a challenger that is not better has had its chance.
    signal
        The id of the signal at which the challenger began.

    Examples
    --------
    >>> test = BackgroundTest(Task(name="ads", kind="binary"), give_up=1_000)
    >>> verdicts = [test.update(Prediction(False), Prediction(True), True) for _ in range(100)]
    >>> verdicts[0], verdicts[-1]
    ('continue', 'b_better')
    """

    def __init__(self, task: Task, give_up: int = 10_000, signal: str = ""):
        self.signal = signal
        self.margin = task.guard.margin
        self.give_up = give_up
        self.losses = PairedLoss(task.kind, task.guard.loss)
        self.difference = Difference(task.guard.alpha)

    def update(self, champion: Prediction, challenger: Prediction, label: Label) -> str:
        """Compare two predictions for a label; return `b_better` if the challenger is better, and a verdict other than `continue` if it is not."""
        losses = self.losses.of(challenger, champion, label)
        if losses is not None:
            self.difference.update(losses[1] - losses[0])
        return self.difference.verdict(self.margin, self.give_up)

    def restart(self) -> None:
        """Begin again: the champion is another model now."""
        self.difference = Difference(self.difference.alpha)
