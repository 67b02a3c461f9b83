"""Handles a question: features whose label comes later."""

from msgspec import UNSET

from headrace.learning.effects import Predicted
from headrace.learning.fold.learn import learn, predict, see_features
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.resolve import resolve
from headrace.learning.prediction import Prediction
from headrace.learning.records import Record
from headrace.learning.turn import Turn
from headrace.learning.waiting.join import ENTRY_MAX, FrozenPrediction, Marker, WaitingQuestion


def ask(parts: LearnerParts, turn: Turn, record: Record) -> None:
    """Freeze the features of a question, and every arm's prediction for them, until the label comes.

    A task that learns without labels learns the features now, after all arms have predicted; a label that comes serves its metrics alone.
    """
    state, record_id, features = parts.state, record.id, record.features
    assert record_id is not UNSET
    assert features is not UNSET
    match = parts.join.find(record_id, state.step, state.clock)
    if match.met or match.question:
        state.join.duplicates += 1
        turn.refuse("duplicate_id", "there is a question with this id already. Give each one an id of its own.")
        return
    if parts.is_unlabelled and parts.names is not None and (reason := parts.names.admit(features)):
        turn.refuse("too_many_names", reason)
        return
    predictions: dict[str, FrozenPrediction] = {}
    answers: dict[str, Prediction | None] = {}
    for name, arm in parts.ask_arms():
        prediction = answers[name] = predict(turn, name, arm, features)
        if parts.task.predictions and arm.role != "baseline":
            turn.emit(Predicted(id=turn.next_id(), record=record_id, arm=name, prediction=prediction, label=None))
        predictions[name] = None if prediction is None else prediction.freeze()
    see_features(turn, state, features, answers)
    served = None if record.served is UNSET else record.served
    question = WaitingQuestion(state.clock, features, predictions, served)
    if match.label is None:
        if not parts.join.ask(record_id, state.step, question):
            refuse_large(turn, "question")
            return
    else:
        step, early = match.label
        parts.join.meet(record_id, state.step, Marker(state.clock, question=state.step, label=step), delay=0)
        if state.is_forgotten(record_id, early.time):
            turn.refuse("forgotten", "its label was taken out by unlearn, and must not be learned.")
            return
        resolve(parts, turn, record_id, question, early.label, step=state.step, delay=0)
    if parts.is_unlabelled:
        learn(parts, features, None)


def refuse_large(turn: Turn, kind: str) -> None:
    """Refuse a question or a label that is too large to be kept in the pending table."""
    turn.refuse("too_large", f"the {kind} has more than {ENTRY_MAX >> 10} KiB and cannot wait. Send less in one.")
