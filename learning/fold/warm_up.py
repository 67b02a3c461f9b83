"""Compiles the loops of the kernel before the first record comes, so that nothing waits for it."""

from collections.abc import Iterable

from headrace.learning import kernel
from headrace.learning.fold.learner import Learner
from headrace.learning.models import build
from headrace.learning.records.message import Message
from headrace.learning.task import Task

ROWS = {
    "binary": b"\n".join([b'{"features": {"a": 1}, "label": true}', b'{"features": {"a": 2}, "label": false}'] * 10),
    "regression": b"\n".join([b'{"features": {"a": 1}, "label": 0.5}'] * 20),
    "multiclass": b"\n".join([b'{"features": {"a": 1}, "label": "x"}', b'{"features": {"a": 2}, "label": "y"}'] * 10),
}
"""Samples for each kind of task that the kernel folds."""


def warm_up(tasks: Iterable[Task]) -> None:
    """Fold some rows as the kernel would fold those of these tasks; takes seconds the first time on a machine, and nothing without numba."""
    families: dict[tuple[type, str], Task] = {}
    for task in tasks:
        linear = None if task.modules else kernel.linear_of(build(task.model, task.kind))
        if linear is not None:
            families.setdefault((type(linear), task.kind), task)
    for task in families.values():
        learner = Learner(Task(name="warm-up", kind=task.kind, model=task.model), 0)
        for offset in range(2):
            for _ in learner.fold(Message(offset, ROWS[task.kind])):
                pass
