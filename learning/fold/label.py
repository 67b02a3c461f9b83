"""A label: it answers a question of the same id."""

from msgspec import UNSET

from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.question import refuse_large
from headrace.learning.fold.resolve import resolve
from headrace.learning.records import Record
from headrace.learning.turn import Turn
from headrace.learning.waiting.join import Early, Marker


def answer(parts: LearnerParts, turn: Turn, record: Record) -> None:
    """Score the frozen predictions and learn the frozen features; or keep the label until its question comes."""
    state, name, label = parts.state, record.id, record.label
    assert name is not UNSET
    assert label is not UNSET
    found = parts.join.find(name, state.step, state.clock)
    if found.met or found.label:
        state.join.duplicates += 1
        turn.refuse("duplicate_label", "there is a label for this id already. Send one label a question.")
    elif found.question is None:
        if not parts.join.expect(name, state.step, Early(state.clock, label, turn.origin)):
            refuse_large(turn, "label")
    else:
        step, question = found.question
        delay = state.clock - question.time
        parts.join.meet(name, state.step, Marker(state.clock, question=step, label=state.step), delay)
        resolve(parts, turn, name, question, label, delay=delay)
