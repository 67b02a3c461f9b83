"""Learning: predict, score, learn, in that order, for every arm."""

from collections.abc import Iterator

from headrace.learning.arms import Arm
from headrace.learning.effects import Drift, Effect, Predicted
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.task import Label, Value
from headrace.learning.turn import Turn
from headrace.learning.waiting.batch import LabelledFeatures

CHUNK = 64
"""The number of rows of a batch that are learned before other tasks may run."""


def learn_sample(
    parts: LearnerParts, turn: Turn, features: dict[str, Value], label: Label, record_id: str | None
) -> None:
    """Predict, score and learn a sample. Its `record_id` is None if the sender gave no id."""
    if parts.names is not None and (reason := parts.names.admit(features)):
        turn.refuse("too_many_names", reason)
        return
    for name, arm in parts.state.arms.items():
        prediction = predict(turn, name, arm, features)
        score(turn, name, arm, prediction, label)
        if parts.task.predictions:
            turn.emit(Predicted(id=turn.next_id(), record=record_id, arm=name, prediction=prediction, label=label))
    learn(parts, features, label)


def predict(turn: Turn, name: str, arm: Arm, features: dict[str, Value]) -> Prediction | None:
    """Return the prediction of an arm; None if the arm is cold or its numbers are not finite. The first non-finite one raises an alert."""
    prediction = arm.predict(features)
    if prediction is None or is_finite(prediction):
        return prediction
    if not arm.broken:
        arm.broken = True
        at = turn.message.offset
        turn.alert("not_finite", f"arm '{name}' no longer predicts finite numbers at position {at}; it goes unscored.")
    return None


def score(turn: Turn, name: str, arm: Arm, prediction: Prediction | None, label: Label) -> None:
    """Score a prediction of an arm against its label, and emit a drift if the detector sees one."""
    change = arm.score(prediction, label)
    if change is not None:
        turn.emit(Drift(id=turn.next_id(), arm=name, detector=arm.detector.name, before=change.before,
                        after=change.after, width_before=change.width_before, width=change.width,
                        time=turn.clock / 1000))  # fmt: skip


def learn(parts: LearnerParts, features: dict[str, Value], label: Label) -> None:
    """Learn a label now, or collect it if the task learns labels in batches."""
    state = parts.state
    state.probes.append(features)
    if parts.batch is None:
        for arm in state.arms.values():
            arm.learn(features, label)
        state.updates += 1
    else:
        parts.batch.collect(LabelledFeatures(features, label), state.clock)


def learn_collected(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Learn the collected labels if there are enough of them or their time has come; yield now and then to let other tasks run."""
    batch, state = parts.batch, parts.state
    if batch is None or not batch.is_due(state.clock):
        return
    if batch.is_overflowing:
        state.batch.overflows += 1
        turn.alert("batch_full", f"{batch.limit} labels were collected before it was time to learn them.")
    yield from learn_rows(parts, turn, batch.take())


def learn_rows(parts: LearnerParts, turn: Turn, rows: list[LabelledFeatures]) -> Iterator[list[Effect]]:
    """Learn collected labels, as the task's update says, letting others in every so often."""
    if not rows:
        return
    state, update = parts.state, parts.task.update
    each = list(state.arms.values())
    if update is not None and update.gradient == "mean":
        for arm in [arm for arm in each if arm.takes_means]:  # a champion that is to be replaced may not
            arm.learn_mean(rows)
            each.remove(arm)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        for row in chunk:
            for arm in each:
                arm.learn(row.features, row.label)
        state.updates += len(chunk)
        yield turn.take()
