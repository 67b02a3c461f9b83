"""The labels of a multiclass task: of one type, as one JSON key stands for both 1 and "1", and not too many."""

from typing import Literal

from msgspec import UNSET

from headrace.learning.codes import RefusalCode
from headrace.learning.records.reader import Record
from headrace.learning.task import LABELS_MAX, Label, Task, Unanswered

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


def find_label_fault(
    record: Record, known: LabelType | None, labels: dict[Label, None] | None
) -> tuple[RefusalCode, str] | None:
    """Code and reason if a multiclass task must not fold a record because of its labels; None if it may.

    Parameters
    ----------
    record
        Its label counts, and what its question was answered.
    known
        The type of the task's labels, if it is known.
    labels
        Those known so far, to which new ones are added; None for a task that declares its labels.
    """
    if known is not None and (reason := find_other_type(known, record)):
        return "label", reason
    if labels is not None and (reason := admit_labels(labels, record)):
        return "too_many_labels", reason
    return None


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


def initial_labels(task: Task) -> dict[Label, None]:
    """The labels that a multiclass task without declared ones has before its first record: the one that it may assume.

    Examples
    --------
    >>> initial_labels(Task(name="colours", kind="multiclass", unanswered=Unanswered(assume="grey")))
    {'grey': None}
    """
    if task.kind != "multiclass" or task.labels is not None:
        return {}
    assumed = task.unanswered.assume if isinstance(task.unanswered, Unanswered) else None
    return {} if assumed is None else {assumed: None}


def admit_labels(known: dict[Label, None], record: Record) -> str | None:
    """Add a record's label, and what its question was answered, to the known ones; or why the record must not be folded.

    Models keep something for each label, and an answer has a probability for each: so a shard knows `LABELS_MAX` at most.

    Parameters
    ----------
    known
        The labels of a multiclass task that declares none; new ones are added to it.
    record
        As for `find_other_type`.
    """
    served = None if record.served is UNSET else record.served.prediction
    met = [label for label in (record.label, served) if label is not UNSET and label is not None]
    new = dict.fromkeys([label for label in met if label not in known])
    if len(known) + len(new) > LABELS_MAX:
        shown = " and ".join(repr(label)[:80] for label in new)
        return (
            f"label {shown} is new, and a task may have up to {LABELS_MAX}, of which {len(known)} are known already. "
            "Send fewer, or declare `labels` in headrace.toml."
        )
    known.update(new)
    return None
