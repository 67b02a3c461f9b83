"""The type of a multiclass task's labels: all whole numbers or all strings, as one JSON key stands for both 1 and "1"."""

from typing import Literal

from msgspec import UNSET

from learning.records import Record
from learning.task import Label, Task, Unanswered

LabelType = Literal["int", "str"]

NOUNS: dict[str, str] = {"int": "whole numbers", "str": "strings"}


def declared_type(task: Task) -> LabelType | None:
    """The type that the labels of a multiclass task have by its declaration; None if its first label is to decide.

    Examples
    --------
    >>> declared_type(Task(name="colours", kind="multiclass", labels=["red", "blue"]))
    'str'
    """
    if task.kind != "multiclass":
        return None
    if task.labels:
        return type_of(task.labels[0])
    if isinstance(task.unanswered, Unanswered) and task.unanswered.assume is not None:
        return type_of(task.unanswered.assume)
    return None


def type_of(label: Label) -> LabelType:
    """The type of one label of a multiclass task."""
    return "str" if isinstance(label, str) else "int"


def find_other_type(known: LabelType, record: Record) -> str | None:
    """Why a record must not be folded by a task whose labels are of the known type; None if it may.

    Parameters
    ----------
    known
        The type of the task's labels.
    record
        Its label counts, and what its question was answered.
    """
    served = None if record.served is UNSET else record.served.prediction
    for what, label in (("label", record.label), ("served.prediction", served)):
        if label is not UNSET and label is not None and type_of(label) != known:
            kind, other = NOUNS[known], NOUNS[type_of(label)]
            return (
                f"{what} {repr(label)[:80]} is not of the type of this task's labels, which are {kind}, not {other}. "
                "Send the type of the task's first label; a task for the other type needs a name of its own."
            )
    return None
