"""Handles a label, which answers the question with the same id."""

from msgspec import UNSET

from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.question import refuse_large
from headrace.learning.fold.resolve import resolve
from headrace.learning.records import Record
from headrace.learning.turn import Turn
from headrace.learning.waiting.join import EarlyLabel, Marker


def answer(parts: LearnerParts, turn: Turn, record: Record) -> None:
    """Score the predictions and learn the features of the label's question; if the question has not come, keep the label for it."""
    state, record_id, label = parts.state, record.id, record.label
    assert record_id is not UNSET
    assert label is not UNSET
    match = parts.join.find(record_id, state.step, state.clock)
    if match.met or match.label:
        state.join.duplicates += 1
        turn.refuse("duplicate_label", "there is a label for this id already. Send one label a question.")
    elif match.question is None:
        if not parts.join.expect(record_id, state.step, EarlyLabel(state.clock, label, turn.origin)):
            refuse_large(turn, "label")
    else:
        step, question = match.question
        delay = state.clock - question.time
        parts.join.meet(record_id, state.step, Marker(state.clock, question=step, label=state.step), delay)
        if state.is_forgotten(record_id, question.time):
            turn.refuse("forgotten", "its question was taken out by unlearn, and must not be learned.")
        else:
            resolve(parts, turn, record_id, question, label, step=step, delay=delay)
