"""Handles a record whose turn has come: a sample, a question or a label."""

from msgspec import UNSET

from headrace.learning.codes import RefusalCode
from headrace.learning.fold.label import answer
from headrace.learning.fold.learn import learn_sample
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.question import ask
from headrace.learning.records import Record
from headrace.learning.records.labels import find_label_fault, type_of
from headrace.learning.turn import Turn


def act(parts: LearnerParts, turn: Turn, record: Record) -> None:
    """Handle a sample, a question or a label, depending on which of features and label the record has."""
    if parts.watcher is None:
        _act(parts, turn, record)
    else:
        with parts.watcher(record):
            _act(parts, turn, record)


def _act(parts: LearnerParts, turn: Turn, record: Record) -> None:
    parts.state.step += 1
    if parts.is_multiclass and (fault := _find_fault(parts, record)):
        turn.refuse(*fault)
    elif record.features is UNSET:
        answer(parts, turn, record)
    elif record.label is not UNSET:
        learn_sample(parts, turn, record.features, record.label, None if record.id is UNSET else record.id)
    elif record.id is not UNSET:
        ask(parts, turn, record)
    else:  # the reader has seen that the task learns without labels
        learn_sample(parts, turn, record.features, None, None)


def _find_fault(parts: LearnerParts, record: Record) -> tuple[RefusalCode, str] | None:
    """Return the code and the reason to refuse a record for its labels, or None; the first label of a shard decides the type."""
    state = parts.state
    if state.label_type is None and record.label is not UNSET:
        state.label_type = type_of(record.label)
    return find_label_fault(record, state.label_type, state.labels if parts.task.labels is None else None)
