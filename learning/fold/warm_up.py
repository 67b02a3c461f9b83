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
}
"""Samples for each kind of task that the kernel folds."""


def warm_up(tasks: Iterable[Task]) -> None:
    """Fold some rows as the kernel would fold those of these tasks; takes seconds the first time on a machine, and nothing without numba."""
    kinds = {task.kind for task in tasks if not task.modules and kernel.linear_of(build(task.model, task.kind))}
    for kind in kinds & ROWS.keys():
        learner = Learner(Task(name="warm-up", kind=kind), 0)
        for offset in range(2):
            for _ in learner.fold(Message(offset, ROWS[kind])):
                pass
