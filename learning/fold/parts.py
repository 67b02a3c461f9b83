"""The parts of a learner: the objects that the handlers of records read and write."""

import math
from collections.abc import Callable, Collection, Container
from contextlib import AbstractContextManager

from headrace.learning.arms import Arm
from headrace.learning.reactions import reactings
from headrace.learning.records import Reader, Record
from headrace.learning.records.names import Names, is_bounded
from headrace.learning.state import State
from headrace.learning.supplies import Supplies, supplies_of
from headrace.learning.task import LAST_GOOD, Json, Task, under
from headrace.learning.waiting.batch import Batch
from headrace.learning.waiting.join import Join
from headrace.learning.waiting.order import Order
from headrace.learning.waiting.pending import InMemory, Pending

Watcher = Callable[[Record], AbstractContextManager[None]]
"""Is entered before a record is handled, with the state that it meets, and left afterwards. It must change nothing."""


PATIENCE = 4
"""After so many times `guard.every` labels without a prediction of the last good version, guards that do without it compare. Of labels that come at
random, one in seventy waits that long; without an end, those of questions that are never answered would keep all others waiting."""


class LearnerParts:
    """Holds the state of one shard and the objects that work on it; every handler of a record gets it together with the turn.

    Parameters
    ----------
    task
        The task, which decides the model and the policies.
    partition
        The shard.
    state
        The state to continue from; left out, a new state at position 0.
    pending
        The entries of the join that belong to the state; left out, an empty store. Entries of later steps are ignored.
    supplies
        The models and outcomes that control records may name.

    Attributes
    ----------
    settings
        The task as the settings have it: its name, and whether its predictions are published.
    task
        The task as it is folded, by the definition in force.
    reader
        The decoder of records.
    join
        The questions and labels that wait for each other.
    order
        The records that wait for earlier ones; None if the task folds records as they arrive.
    batch
        The labels that wait to be learned together; None if the task learns each label at once.
    names
        The names learned so far; None if the task's schema limits them.
    guards, admitting
        The guards of the shard, and those of them that look at each sample before it is learned.
    reactings
        The reactions of the task, read.
    measures
        Whether the metrics are measured for the history.
    watcher
        Surrounds the handling of each sample, question and label, for those who look into a fold; None for a shard.
    """

    measures = True

    def __init__(
        self,
        task: Task,
        partition: int,
        state: State | None = None,
        pending: Pending | None = None,
        supplies: Supplies | None = None,
    ):
        self.settings = task
        self.partition = partition
        self.state = state or State(task)
        self.supplies = supplies or supplies_of(task)
        self._pending = pending or InMemory()
        self.watcher: Watcher | None = None
        self.follow_definition()

    def follow_definition(self) -> None:
        """Make the parts that go by the definition in force; what waits in the state stays there."""
        state = self.state
        self.definition = state.definition
        self.task = task = under(self.settings, state.definition)
        self.reader = Reader(task)
        self.join = Join(state.join, self._pending, task.wait_ms)
        self.order = Order(state.order, task.lateness_ms) if task.order == "event_time" else None
        self.batch = Batch(state.batch, task.update) if task.update else None
        self.names = None if is_bounded(task) else Names(task.name_limit, state.names, values=bool(task.modules))
        self.is_multiclass = task.kind == "multiclass"
        self.is_unlabelled = task.kind == "anomaly"
        self.guards = tuple(state.guards.values())
        self.admitting = tuple(guard for guard in self.guards if guard.admits)
        self.reactings = reactings(task)

    @property
    def champion(self) -> Arm:
        """The arm whose predictions are served."""
        return self.state.arms["champion"]

    def ask_arms(self) -> Collection[tuple[str, Arm]]:
        """Give the arms that predict for the current record, with their names: the last good version only for one record of `guard.every`."""
        state = self.state
        state.asked += 1
        if LAST_GOOD not in state.arms or state.asked % self.task.guard.every == 0:
            return state.arms.items()
        return [(name, arm) for name, arm in state.arms.items() if name != LAST_GOOD]

    def is_compared(self, predictions: Container[str]) -> bool:
        """Tell whether the guards compare the champion at a label: those for which the last good version has predicted; without it, one of `guard.every`.

        Parameters
        ----------
        predictions
            The names of the arms that have predicted.
        """
        return LAST_GOOD in predictions or len(self.state.unseen) + 1 >= self.patience

    @property
    def patience(self) -> int:
        """The number of labels at the last of which the guards compare the champion, whether the last good version has predicted or not."""
        return (PATIENCE if LAST_GOOD in self.state.arms else 1) * self.task.guard.every

    @property
    def due_at(self) -> float:
        """The log time in milliseconds at which something is due even if no record comes; infinity if nothing waits."""
        oldest = self.join.due_at
        due: float = math.inf if oldest is None else oldest
        for waiting in (self.order, self.batch):
            if waiting is not None and waiting.due_at is not None:
                due = min(due, waiting.due_at)
        return due

    def describe(self) -> dict[str, Json]:
        """Describe the state of the shard for `GET /v1/{task}`, without the digest."""
        state = self.state
        described = {
            "position": state.position,
            "begun_at": None if state.begun_at is None else state.begun_at / 1000,
            "updates": state.updates,
            "quarantined": state.quarantined,
            "skipped": state.skipped,
            "questions": self.join.describe(),
            "served": state.served.values(),
            "traffic": state.traffic.describe(),
        }
        if self.order is not None:
            described["order"] = state.order.describe()
        if self.batch is not None:
            described["batch"] = {"collected": len(state.batch.rows), "overflows": state.batch.overflows}
        return described | {"arms": {name: arm.describe() for name, arm in state.arms.items()}}
