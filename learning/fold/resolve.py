"""The end of a question: its label has come or is assumed, or the question expires without one."""

import msgspec

from headrace.learning.effects import Resolved, ResolvedBy
from headrace.learning.fold.learn import find_outlier, judge, learn
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.prediction import Prediction
from headrace.learning.records.labels import type_of
from headrace.learning.task import Label, Value
from headrace.learning.turn import Turn
from headrace.learning.waiting.batch import LabelledFeatures
from headrace.learning.waiting.join import WaitingQuestion, plain


def resolve(
    parts: LearnerParts,
    turn: Turn,
    record_id: str,
    question: WaitingQuestion,
    label: Label,
    *,
    step: int,
    delay: int,
    how: ResolvedBy = "label",
) -> None:
    """Score the frozen predictions of a question, and learn its frozen features, unless they were learned when it came.

    Parameters
    ----------
    parts, turn
        The parts of the learner, and the current turn.
    record_id
        The id of the question.
    question
        The question.
    label
        The label against which the question is scored, and which is learned.
    step
        The step of the question.
    delay
        The time from the question to its label, in milliseconds of log time.
    how
        The origin of the label.
    """
    predictions = {name: frozen and Prediction.thaw(frozen) for name, frozen in question.predictions.items()}
    judge(parts, turn, predictions, LabelledFeatures(question.features, label), step)
    answer = None if question.served is None else question.served.prediction
    # A question from before the shard's first label may claim to have been served a label of the other type.
    if answer is not None and not (parts.is_multiclass and type_of(answer) != type_of(label)):
        parts.state.served.update(label, answer)
    emit_resolved(parts, turn, record_id, how, label=label, delay=delay)
    if not parts.is_unlabelled:
        learn_question(parts, turn, record_id, question.features, label)


def learn_question(parts: LearnerParts, turn: Turn, record_id: str, features: dict[str, Value], label: Label) -> None:
    """Learn a question with its label; if there is no room for its names, refuse the two together, as one sample."""
    if parts.names is not None and (reason := parts.names.admit(features)):
        value = msgspec.json.encode({"id": record_id, "features": features, "label": label}, enc_hook=plain)
        turn.refuse("too_many_names", reason, value)
    elif parts.admitting and (fault := find_outlier(parts, features)):
        value = msgspec.json.encode({"id": record_id, "features": features, "label": label}, enc_hook=plain)
        turn.refuse("outlier", fault, value)
    else:
        learn(parts, features, label)


def emit_resolved(
    parts: LearnerParts, turn: Turn, record_id: str, how: ResolvedBy, *, label: Label | None, delay: int
) -> None:
    """Emit the end of a question, if the task publishes its predictions."""
    if parts.task.predictions:
        turn.emit(Resolved(id=turn.next_id(), record=record_id, how=how, label=label, delay_s=delay / 1000))
