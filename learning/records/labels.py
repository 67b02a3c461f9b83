"""The labels of a multiclass task: checks that all have one type, and that a shard does not meet too many.

JSON has one object key for 1 and "1", so a task with both could not publish their probabilities.
"""

from typing import Literal

from msgspec import UNSET

from headrace.learning.codes import RefusalCode
from headrace.learning.records.reader import Record
from headrace.learning.task import LABELS_MAX, Label, Task, Unanswered

LabelType = Literal["int", "str"]

NOUNS: dict[str, str] = {"int": "whole numbers", "str": "strings"}


def declared_type(task: Task) -> LabelType | None:
    """Return the label type that a multiclass task declares; None if the first label of a shard decides.

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
    """Return the type of one label of a multiclass task."""
    return "str" if isinstance(label, str) else "int"


def find_label_fault(
    record: Record, known: LabelType | None, labels: dict[Label, None] | None
) -> tuple[RefusalCode, str] | None:
    """Return the code and the reason why a multiclass task must refuse a record for its labels; None if it may fold the record.

    Parameters
    ----------
    record
        The record. Both its label and the prediction that was served for it are checked.
    known
        The type of the task's labels; None while it is unknown.
    labels
        The labels met so far, to which new ones are added; None for a task that declares its labels.
    """
    if known is not None and (reason := find_other_type(known, record)):
        return "label", reason
    if labels is not None and (reason := admit_labels(labels, record)):
        return "too_many_labels", reason
    return None


def find_other_type(known: LabelType, record: Record) -> str | None:
    """Return why a record does not fit a task whose labels have the known type; None if the record fits.

    Parameters
    ----------
    known
        The type of the task's labels.
    record
        The record. Both its label and the prediction that was served for it are checked.
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
    """Return the labels that a shard knows before its first record: the label that an undeclared multiclass task assumes, if any.

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
    """Add the labels of a record to the known labels; if that makes too many, add none and return the reason to refuse the record.

    Models keep state for each label, and an answer has a probability for each label, so a shard knows `LABELS_MAX` at most.

    Parameters
    ----------
    known
        The labels met so far by a multiclass task that declares none; new labels are added to this dict.
    record
        The record. Both its label and the prediction that was served for it are added.
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
