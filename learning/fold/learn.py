"""Learning: predict, score, learn, in that order, for every arm."""

from collections.abc import Iterator

from headrace.learning.arms import Arm
from headrace.learning.effects import Effect, Predicted
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.react import end_background, end_experiment
from headrace.learning.guards import Compared
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.state import State
from headrace.learning.task import BACKGROUND, CHAMPION, Label, Value
from headrace.learning.turn import Turn
from headrace.learning.waiting.batch import LabelledFeatures

Predictions = dict[str, Prediction | None]
"""What each arm predicted; None where it is cold."""

CHUNK = 64
"""The number of rows of a batch that are learned before other tasks may run."""


def learn_sample(
    parts: LearnerParts, turn: Turn, features: dict[str, Value], label: Label | None, record_id: str | None
) -> None:
    """Predict, score and learn a sample. Its `record_id` is None if the sender gave no id, its `label` if it has none and the task needs none."""
    if parts.admitting and (fault := find_outlier(parts, features)):
        turn.refuse("outlier", fault)
        return
    if parts.names is not None and (reason := parts.names.admit(features)):
        turn.refuse("too_many_names", reason)
        return
    predictions: Predictions = {}
    for name, arm in parts.ask_arms():
        prediction = predictions[name] = predict(turn, name, arm, features)
        if parts.task.predictions and arm.role != "baseline":
            turn.emit(Predicted(id=turn.next_id(), record=record_id, arm=name, prediction=prediction, label=label))
    see_features(turn, parts.state, features, predictions)
    if label is not None:
        judge(parts, turn, predictions, LabelledFeatures(features, label), parts.state.step)
    learn(parts, features, None if parts.is_unlabelled else label)


def predict(turn: Turn, name: str, arm: Arm, features: dict[str, Value]) -> Prediction | None:
    """Return the prediction of an arm; None if the arm is cold or its numbers are not finite. The first non-finite one raises an alert."""
    try:
        prediction = arm.predict(features)
    except BaseException as error:
        blame(error, name, arm)
        raise
    if prediction is None or is_finite(prediction):
        return prediction
    if not arm.broken:
        arm.broken = True
        at = turn.message.offset
        turn.alert("not_finite", f"arm '{name}' no longer predicts finite numbers at position {at}; it goes unscored.")
    return None


def see_features(turn: Turn, state: State, features: dict[str, Value], predictions: Predictions) -> None:
    """Give the features of a question or a sample, and what the arms answer, to the detectors and thresholds that need no label."""
    if state.watches.features:
        turn.notice(state.watches.see_features(features))
    for name, prediction in predictions.items():
        arm = state.arms[name]
        if prediction is None:
            continue
        if prediction.score is not None:
            arm.see_score(prediction.score)
        if arm.scores:
            turn.notice(arm.watch_score(prediction, name), arm.since)


def judge(
    parts: LearnerParts,
    turn: Turn,
    predictions: Predictions,
    sample: LabelledFeatures,
    step: int,
) -> None:
    """Score what each arm had predicted, before the label is learned, and show it to detectors, guards and experiments.

    Parameters
    ----------
    parts, turn
        The parts of the learner, and the current turn.
    predictions
        What each arm had predicted; None where it was cold.
    sample
        The features, with the label that has come.
    step
        The step at which they had predicted.
    """
    state = parts.state
    arms = state.arms
    features, label = sample
    own = score(state, turn, predictions, label, step)
    if state.segments and (served := predictions.get(CHAMPION)) is not None:
        for feature, segment in state.segments.items():
            segment.update(features.get(feature), label, served.value)
    if state.watches.labels:
        turn.notice(state.watches.see_label(label))
    if parts.guards:
        if parts.is_compared(predictions):
            compared = Compared(own, label, state.unseen)
            notices = [notice for guard in parts.guards if (notice := guard.compare(compared)) is not None]
            turn.notice(notices, arms[CHAMPION].since)
            state.unseen.clear()
        else:
            state.unseen.append(label)
    # A champion that is replaced begins other comparisons again, so all of them see this label first.
    decided = [experiment for experiment in state.experiments.values() if experiment.update(own, label)]
    if BACKGROUND in own:
        end_background(state, turn, own, label)
    for experiment in decided:
        if experiment.verdict != "continue":
            end_experiment(state, turn, experiment)


def score(state: State, turn: Turn, predictions: Predictions, label: Label, step: int) -> Predictions:
    """Score what was predicted at a step; return what the models predicted that the arms have now.

    What an earlier model has predicted in the place of an arm counts in that arm's metrics over all of the log alone: detectors, guards and
    experiments would blame the model of now for it.
    """
    own: Predictions = {}
    for name, prediction in predictions.items():
        arm = state.arms.get(name)
        if arm is None:
            continue
        if step > arm.since:
            own[name] = prediction
            if notices := arm.score(prediction, label, name):
                turn.notice(notices, arm.since)
        elif prediction is not None and step > arm.scoreboard.since:
            arm.scoreboard.count(label, prediction)
    return own


def find_outlier(parts: LearnerParts, features: dict[str, Value]) -> str | None:
    """Say why a sample is too strange to be learned; None if it is not."""
    for guard in parts.admitting:
        if (fault := guard.find_fault(features)) is not None:
            return fault
    return None


def learn(parts: LearnerParts, features: dict[str, Value], label: Label | None) -> None:
    """Learn a label now, or collect it if the task learns labels in batches. Without a label: learn features alone, at once."""
    state = parts.state
    state.probes.append(features)
    if label is None:
        for name, arm in state.arms.items():
            teach(name, arm, features, None)
        state.updates += 1
    elif parts.batch is None:
        for name, arm in state.arms.items():
            teach(name, arm, features, label)
        if parts.task.rehearsal is not None:
            rehearse(parts, features, label)
        state.updates += 1
    else:
        parts.batch.collect(LabelledFeatures(features, label), state.clock)


def teach(name: str, arm: Arm, features: dict[str, Value], label: Label | None, *, again: bool = False) -> None:
    """Let an arm learn a label, or learn it again; an error of its model gets a note that names the arm."""
    try:
        (arm.rehearse if again else arm.learn)(features, label)
    except BaseException as error:
        blame(error, name, arm)
        raise


def blame(error: BaseException, name: str, arm: Arm) -> None:
    """Note on an error which arm has raised it."""
    error.add_note(f"raised by the model '{arm.model_name}' of the arm '{name}'")


def rehearse(parts: LearnerParts, features: dict[str, Value], label: Label) -> None:
    """Learn past samples again, as often as the task says, and keep this one among them."""
    settings = parts.task.rehearsal
    assert settings is not None
    for row in parts.state.reservoir.add(features, label, settings):
        for name, arm in parts.state.arms.items():
            teach(name, arm, row.features, row.label, again=True)


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
    each = dict(state.arms)
    if update is not None and update.gradient == "mean":
        takers = [name for name, arm in each.items() if arm.takes_means]  # a champion that is to be replaced may not
        for name in takers:
            each.pop(name).learn_mean(rows)
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        for row in chunk:
            for name, arm in each.items():
                teach(name, arm, row.features, row.label)
            if parts.task.rehearsal is not None:
                rehearse(parts, row.features, row.label)
        state.updates += len(chunk)
        yield turn.take()
