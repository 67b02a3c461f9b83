"""A question: features are asked about now, and their label comes later."""

from msgspec import UNSET

from headrace.learning.effects import Predicted
from headrace.learning.fold.learn import predict
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.resolve import resolve
from headrace.learning.records import Record
from headrace.learning.turn import Turn
from headrace.learning.waiting.join import ENTRY_MAX, Frozen, Marker, Question


def ask(parts: LearnerParts, turn: Turn, record: Record) -> None:
    """Freeze the features of a question and what every arm says of them until the label comes."""
    state, name, features = parts.state, record.id, record.features
    assert name is not UNSET
    assert features is not UNSET
    found = parts.join.find(name, state.step, state.clock)
    if found.met or found.question:
        state.join.duplicates += 1
        turn.refuse("duplicate_id", "there is a question with this id already. Give each one an id of its own.")
        return
    predictions: dict[str, Frozen] = {}
    for arm_name, arm in state.arms.items():
        prediction = predict(turn, arm_name, arm, features)
        if parts.task.predictions:
            turn.emit(Predicted(id=turn.next_id(), record=name, arm=arm_name, prediction=prediction, label=None))
        predictions[arm_name] = None if prediction is None else (prediction.value, prediction.probabilities)
    served = None if record.served is UNSET else record.served
    question = Question(state.clock, features, predictions, served)
    if found.label is None:
        if not parts.join.ask(name, state.step, question):
            refuse_large(turn, "question")
    else:
        step, early = found.label
        parts.join.meet(name, state.step, Marker(state.clock, question=state.step, label=step), delay=0)
        resolve(parts, turn, name, question, early.label, delay=0)


def refuse_large(turn: Turn, kind: str) -> None:
    """Refuse a question or a label that is too large to wait for its other half."""
    turn.refuse("too_large", f"the {kind} has more than {ENTRY_MAX >> 10} KiB and cannot wait. Send less in one.")
