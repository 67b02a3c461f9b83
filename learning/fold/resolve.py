"""The end of a question: it has its label, or one that is assumed in its place, or none."""

import msgspec

from headrace.learning.effects import How, Resolved
from headrace.learning.fold.learn import learn, score
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.prediction import Prediction
from headrace.learning.records.labels import type_of
from headrace.learning.task import Label, Value
from headrace.learning.turn import Turn
from headrace.learning.waiting.join import Question, plain


def resolve(
    parts: LearnerParts, turn: Turn, name: str, question: Question, label: Label, *, delay: int, how: How = "label"
) -> None:
    """Score the frozen predictions of a question, and learn its frozen features.

    Parameters
    ----------
    parts, turn
        Of the fold.
    name
        The question's id.
    question, label
        What is scored and learned.
    delay
        Log milliseconds from the question to its label.
    how
        Where the label is from.
    """
    arms = parts.state.arms
    for arm_name, frozen in question.predictions.items():
        if arm_name in arms:
            score(turn, arm_name, arms[arm_name], frozen and Prediction(*frozen), label)
    answer = None if question.served is None else question.served.prediction
    # A question that was asked before the first label may say that it was answered with a label of the other type.
    if answer is not None and not (parts.is_multiclass and type_of(answer) != type_of(label)):
        parts.state.served.update(label, answer)
    emit_resolved(parts, turn, name, how, label=label, delay=delay)
    learn_question(parts, turn, name, question.features, label)


def learn_question(parts: LearnerParts, turn: Turn, name: str, features: dict[str, Value], label: Label) -> None:
    """Learn a question that has its label; where there is no room for its names, both are refused together, as a sample."""
    if parts.names is not None and (reason := parts.names.admit(features)):
        value = msgspec.json.encode({"id": name, "features": features, "label": label}, enc_hook=plain)
        turn.refuse("too_many_names", reason, value)
    else:
        learn(parts, features, label)


def emit_resolved(parts: LearnerParts, turn: Turn, name: str, how: How, *, label: Label | None, delay: int) -> None:
    """Emit what became of a question, if the task publishes its predictions."""
    if parts.task.predictions:
        turn.emit(Resolved(id=turn.next_id(), record=name, how=how, label=label, delay_s=delay / 1000))
