"""The parts of a learner: the objects that the handlers of records read and write."""

import math

from headrace.learning.arms import Arm
from headrace.learning.records import Reader
from headrace.learning.records.names import Names, is_bounded
from headrace.learning.state import State
from headrace.learning.task import Json, Task
from headrace.learning.waiting.batch import Batch
from headrace.learning.waiting.join import Join
from headrace.learning.waiting.order import Order
from headrace.learning.waiting.pending import InMemory, Pending


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

    Attributes
    ----------
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
    """

    def __init__(self, task: Task, partition: int, state: State | None = None, pending: Pending | None = None):
        self.task = task
        self.partition = partition
        self.state = state = state or State(task)
        self.reader = Reader(task)
        self.join = Join(state.join, pending or InMemory(), task.wait_ms)
        self.order = Order(state.order, task.lateness_ms) if task.order == "event_time" else None
        self.batch = Batch(state.batch, task.update) if task.update else None
        self.names = None if is_bounded(task) else Names(task.name_limit, state.names)
        self.is_multiclass = task.kind == "multiclass"

    @property
    def champion(self) -> Arm:
        """The arm whose predictions are served."""
        return self.state.arms["champion"]

    @property
    def due_at(self) -> float:
        """The log time in milliseconds at which something is due even if no record comes; infinity if nothing waits."""
        waiting = [self.join.due_at]
        if self.order is not None:
            waiting.append(self.order.due_at)
        if self.batch is not None:
            waiting.append(self.batch.due_at)
        return min((at for at in waiting if at is not None), default=math.inf)

    def describe(self) -> dict[str, Json]:
        """Describe the state of the shard for `GET /v1/{task}`, without the digest."""
        state = self.state
        described = {
            "position": state.position,
            "updates": state.updates,
            "quarantined": state.quarantined,
            "skipped": state.skipped,
            "questions": self.join.describe(),
            "served": state.served.values(),
        }
        if self.order is not None:
            described["order"] = state.order.describe()
        if self.batch is not None:
            described["batch"] = {"collected": len(state.batch.rows), "overflows": state.batch.overflows}
        return described | {"arms": {name: arm.describe(self.task.model_name) for name, arm in state.arms.items()}}
