"""Acting upon a record whose time has come: a sample, a question or a label."""

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
    """Act upon a sample, a question or a label; which one it is follows from the parts that it has."""
    parts.state.step += 1
    if parts.is_multiclass and (fault := _find_fault(parts, record)):
        turn.refuse(*fault)
    elif record.label is UNSET:
        ask(parts, turn, record)
    elif record.features is UNSET:
        answer(parts, turn, record)
    else:
        learn_sample(parts, turn, record.features, record.label, None if record.id is UNSET else record.id)


def _find_fault(parts: LearnerParts, record: Record) -> tuple[RefusalCode, str] | None:
    """Code and reason if a label is not of the type of the first one, which it may be itself, or is one too many."""
    state = parts.state
    if state.label_type is None and record.label is not UNSET:
        state.label_type = type_of(record.label)
    return find_label_fault(record, state.label_type, state.labels if parts.task.labels is None else None)
