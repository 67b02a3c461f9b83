"""A running experiment: two arms whose losses are compared label by label."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from headrace.learning.prediction import Prediction
from headrace.learning.sequential import Difference
from headrace.learning.sequential.loss import PairedLoss
from headrace.learning.tags import tagged
from headrace.learning.task import NEXT, Experiment, Label, Task


class ExperimentStatus(msgspec.Struct, frozen=True):
    """An experiment of a shard, as `GET /v1/{task}/experiments` shows it.

    Parameters
    ----------
    a, b, loss, margin, alpha, budget, promote
        As for `Experiment`.
    count
        Labels that were compared.
    mean_a, mean_b
        The mean losses, 0 to 1; None before the first label.
    difference, low, high
        The mean loss of `a` less that of `b`, and bounds between which it lies with a chance of 1 - `alpha`, at any time.
    verdict
        `a_better` or `b_better` (by more than the margin), `equivalent` (the difference is smaller than the margin), `budget_exhausted`,
        or `continue`.
    decided_at
        The position of the label at which the verdict was found; None until then.
    """

    partition: int
    a: str
    b: str
    loss: str
    margin: float
    alpha: float
    budget: int
    promote: str
    count: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float
    high: float
    verdict: str
    decided_at: int | None


@tagged("comparing/2", decided_at=Annotated[int, Meta(ge=0)] | None)
class Comparing:
    """Compares the losses of two arms, until the budget is used up.

    The first verdict need not be the last: the bounds hold for the mean of all labels so far, and when the world changes it moves. A verdict
    stays until another one is found.

    Parameters
    ----------
    task
        The task.
    settings
        The experiment.

    Attributes
    ----------
    a, b
        The names of the arms.
    sum_a, sum_b
        The sums of their losses.
    verdict
        What was found last, `continue` until then.
    decided_at
        The position of the label at which it was found; None until then.

    Examples
    --------
    >>> comparing = Comparing(Task(name="ads", kind="binary"), Experiment(b="tree", margin=0.1))
    >>> answers = {"champion": Prediction(False), "tree": Prediction(True)}
    >>> next(at for at in range(1000) if comparing.update(answers, True))
    15
    >>> comparing.verdict
    'b_better'
    """

    def __init__(self, task: Task, settings: Experiment):
        self.a, self.b = settings.a, settings.b
        self.margin, self.budget = settings.margin, settings.budget
        self.promotes = settings.promote == "auto"
        self.losses = PairedLoss(task.kind, settings.loss)
        self.difference = Difference(settings.alpha)
        self.sum_a = self.sum_b = 0.0
        self.verdict = "continue"
        self.decided_at: int | None = None

    def update(self, predictions: Mapping[str, Prediction | None], label: Label) -> bool:
        """Compare two predictions for a label; tell whether there is a new verdict.

        Parameters
        ----------
        predictions
            What the model of each arm had predicted.
        label
            The label.
        """
        second = predictions.get(self.b)
        if second is None or self.difference.count >= self.budget:
            return False
        first = predictions.get(self.a)
        if first is None:
            return False
        losses = self.losses.of(first, second, label)
        if losses is None:
            return False
        self.sum_a += losses[0]
        self.sum_b += losses[1]
        self.difference.update(losses[0] - losses[1])
        verdict, before = self.difference.verdict(self.margin, self.budget), self.verdict
        if verdict in ("a_better", "b_better", "equivalent") or before == "continue":
            self.verdict = verdict
        return self.verdict != before

    def restart(self) -> None:
        """Begin again: an arm is another model now."""
        self.difference = Difference(self.difference.alpha)
        self.sum_a = self.sum_b = 0.0
        self.verdict, self.decided_at = "continue", None

    @property
    def means(self) -> tuple[float, float] | None:
        """The mean losses of both; None before the first label."""
        count = self.difference.count
        return (self.sum_a / count, self.sum_b / count) if count else None

    @property
    def mean_difference(self) -> float | None:
        """The mean loss of `a` less that of `b`; None before the first label."""
        means = self.means
        return None if means is None else means[0] - means[1]

    def describe(self, partition: int) -> ExperimentStatus:
        """Describe the experiment on a shard."""
        low, high = self.difference.bounds()
        mean_a, mean_b = self.means or (None, None)
        return ExperimentStatus(
            partition=partition,
            a=self.a,
            b=self.b,
            loss=self.losses.name,
            margin=self.margin,
            alpha=self.difference.alpha,
            budget=self.budget,
            promote="auto" if self.promotes else "hand",
            count=self.difference.count,
            mean_a=mean_a,
            mean_b=mean_b,
            difference=self.mean_difference,
            low=low,
            high=high,
            verdict=self.verdict,
            decided_at=self.decided_at,
        )


def declared_experiments(task: Task) -> dict[str, Experiment]:
    """List the experiments of a task, by the names of their arms. Without settings, the champion is compared with each arm of `arms` and with `next`.

    Examples
    --------
    >>> list(declared_experiments(Task(name="ads", kind="binary")))
    ['champion next']
    """
    rows = task.experiments
    if task.kind == "anomaly":
        return {}
    if rows is None:
        rows = [Experiment(b=name) for name in (*task.named_arms, NEXT)]
    return {f"{row.a} {row.b}": row for row in rows}


def experiments_of(task: Task) -> dict[str, Comparing]:
    """Make the experiments of a task, by the names of their arms."""
    return {name: Comparing(task, row) for name, row in declared_experiments(task).items()}
