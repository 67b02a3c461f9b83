import json
import math
import random
from types import SimpleNamespace

import msgspec
import pytest
from river import drift

from headrace.learning.effects import Alert, Drift, Measured, Predicted, Quarantined
from headrace.learning.fold.learner import Learner
from headrace.learning.models import build, names_for
from headrace.learning.snapshot import digest
from headrace.learning.state import PROBES, State
from headrace.learning.task import Task
from headrace.learning.turn import line_of

KINDS = ["binary", "multiclass", "regression"]


def task(kind="binary", **more):
    return Task(name="ads", kind=kind, **more)


def message(offset, *records, timestamp=0, key=None):
    rows = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return SimpleNamespace(offset=offset, timestamp=timestamp, key=key, value=b"\n".join(rows))


def sample(x=1.0, label=True, **more):
    return {"features": {"x": x}, "label": label, **more}


def samples(kind, count, seed=0):
    dice = random.Random(seed)
    for _ in range(count):
        x, y = dice.gauss(0, 1), dice.choice("abc")
        label = {"binary": x > 0, "multiclass": y, "regression": 3 * x + 1}[kind]
        yield {"features": {"x": x, "y": y}, "label": label}


def fold(learner, *messages):
    return [effect for one in messages for row in learner.fold(one) for effect in row]


def test_a_new_learner_begins_at_position_0_with_a_champion_and_baselines():
    state = Learner(task(), 0).state
    assert (state.position, state.clock, state.updates, state.quarantined, list(state.probes)) == (0, 0, 0, 0, [])
    assert {name: arm.role for name, arm in state.arms.items()} == {
        "champion": "champion",
        "no_change": "baseline",
        "majority": "baseline",
    }


def test_a_learner_goes_on_from_the_state_that_it_is_given():
    state = State(task())
    state.position = 7
    learner = Learner(task(), 0, state)
    fold(learner, message(7, sample()))
    assert learner.state is state
    assert state.position == 8


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_messages_give_the_same_state_and_the_same_effects(kind):
    log = [message(at, *samples(kind, 3, seed=at), b"{") for at in range(60)]
    one, two = (Learner(task(kind, predictions=True), 0) for _ in range(2))
    assert fold(one, *log) == fold(two, *log)
    assert digest(one.state) == digest(two.state)


@pytest.mark.parametrize("kind", KINDS)
def test_packing_changes_neither_the_arms_nor_what_is_predicted(kind):
    rows = list(samples(kind, 120))
    one, two = (Learner(task(kind, predictions=True), 0) for _ in range(2))
    single = fold(one, *(message(at, row) for at, row in enumerate(rows)))
    packed = fold(two, *(message(at, *rows[at * 10 : at * 10 + 10]) for at in range(12)))
    assert digest(one.state.arms) == digest(two.state.arms)
    predicted = [[one for one in effects if isinstance(one, Predicted)] for effects in (single, packed)]
    without = [[msgspec.structs.replace(effect, id="") for effect in effects] for effects in predicted]
    assert without[0] == without[1]
    assert (one.state.position, two.state.position) == (120, 12)


@pytest.mark.parametrize("kind", KINDS)
def test_arms_do_not_depend_on_offsets_timestamps_keys_or_ids(kind):
    rows = list(samples(kind, 50))
    one, two = (Learner(task(kind), 0) for _ in range(2))
    fold(one, *(message(at, row) for at, row in enumerate(rows)))
    fold(two, *(message(at * 3 + 5, row | {"id": str(at)}, timestamp=at, key=b"k") for at, row in enumerate(rows)))
    assert digest(one.state.arms) == digest(two.state.arms)
    assert digest(one.state) != digest(two.state)


@pytest.mark.parametrize(("kind", "model"), [(kind, model) for kind in KINDS for model in names_for(kind)])
def test_what_is_predicted_is_what_the_model_said_before_it_learned_the_label(kind, model):
    learner = Learner(task(kind, model=model, predictions=True), 0)
    river = build(model, kind)
    for at, row in enumerate(samples(kind, 40)):
        before = (
            river.predict_one(row["features"]) if kind == "regression" else river.predict_proba_one(row["features"])
        )
        (told,) = fold(learner, message(at, row))
        assert isinstance(told, Predicted)
        assert (told.arm, told.label) == ("champion", row["label"])
        if kind == "regression":
            assert told.prediction == before or told.prediction.value == before
        else:
            assert (told.prediction.probabilities if told.prediction else {}) == before
        river.learn_one(row["features"], row["label"])


def test_predictions_are_told_only_where_the_task_asks_for_them():
    assert fold(Learner(task(), 0), message(0, sample())) == []
    assert len(fold(Learner(task(predictions=True), 0), message(0, sample(), sample()))) == 2


def test_a_prediction_names_the_record_that_it_was_made_for():
    told = fold(Learner(task(predictions=True), 0), message(0, sample(id="a1"), sample()))
    assert [effect.record for effect in told] == ["a1", None]


@pytest.mark.parametrize(
    ("kind", "model", "label"),
    [
        ("binary", "no_change", True),
        ("multiclass", "softmax", "a"),
        ("multiclass", "arf", "a"),
        ("regression", "mondrian_regressor", 2.5),
    ],
)
def test_a_cold_model_predicts_nothing_and_is_not_scored(kind, model, label):
    learner = Learner(task(kind, model=model, predictions=True), 0)
    first, second = fold(learner, message(0, sample(label=label)), message(1, sample(label=label)))
    assert first.prediction is None
    assert second.prediction.value == label
    metrics = learner.describe()["arms"]["champion"]["metrics"]
    assert metrics["mae"] == 0.0 if kind == "regression" else metrics["accuracy"] == 1.0
    assert learner.state.updates == 2


def test_a_model_that_is_never_cold_is_scored_from_the_first_sample():
    learner = Learner(task("regression", predictions=True), 0)
    (told,) = fold(learner, message(0, sample(label=4.0)))
    assert told.prediction.value == 0.0
    assert learner.describe()["arms"]["champion"]["metrics"]["mae"] == 4.0


def test_an_effect_is_known_by_task_partition_offset_row_and_number():
    learner = Learner(task(predictions=True), partition=3)
    told = fold(learner, message(5, sample(), b"{", sample()), message(9, sample()))
    assert [effect.id for effect in told] == ["ads/3/5/0/0", "ads/3/5/1/0", "ads/3/5/2/0", "ads/3/9/0/0"]


def test_effects_of_one_row_are_numbered():
    learner = Learner(task("regression", predictions=True), 0)
    learner.champion.model = Fixed(math.nan)
    assert [effect.id for effect in fold(learner, message(0, sample(label=1.0)))] == ["ads/0/0/0/0", "ads/0/0/0/1"]


def flipping(count, at):
    """A rule that turns into its opposite."""
    dice = random.Random(3)
    for number in range(count):
        x = dice.uniform(-1, 1)
        yield sample(x, (x > 0) == (number < at))


def test_a_change_of_the_error_is_told_once_with_both_sides_of_the_cut():
    learner = Learner(task(predictions=True, detectors=[{"use": "adwin"}]), 0)
    detector, expected, told = drift.ADWIN(delta=0.002), [], []
    for at, row in enumerate(flipping(2_500, 1_500)):
        effects = fold(learner, message(at, row, timestamp=at * 1_000))
        predicted = next(effect for effect in effects if isinstance(effect, Predicted))
        before, width_before = detector.estimation, detector.width
        detector.update(float(predicted.prediction.value != row["label"]))
        if detector.drift_detected:
            expected.append((at, before, detector.estimation, width_before, detector.width))
        told += [(at, effect) for effect in effects if isinstance(effect, Drift) and effect.kind == "drift"]
    assert [(at, e.before, e.after, e.width_before, e.width) for at, e in told] == expected
    at, first = next((at, effect) for at, effect in told if effect.after > effect.before)
    assert 1_500 < at < 1_700
    assert (first.arm, first.detector, first.time) == ("champion", "adwin", float(at))
    assert first.width < first.width_before


def test_a_steady_error_is_no_drift():
    learner = Learner(task(), 0)
    effects = fold(learner, *(message(at, row) for at, row in enumerate(flipping(1_500, 1_500))))
    assert [effect for effect in effects if not isinstance(effect, Measured)] == []


class Fixed:
    """A model that says one thing."""

    def __init__(self, answer):
        self.answer, self.learned = answer, []

    def predict_one(self, features):
        return self.answer

    def predict_proba_one(self, features):
        return {False: 1 - self.answer, True: self.answer}

    def learn_one(self, features, label):
        self.learned.append((features, label))


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize("answer", [math.nan, math.inf, -math.inf])
def test_a_model_that_predicts_no_finite_number_is_told_of_once_and_goes_unscored(kind, answer):
    learner = Learner(task(kind, predictions=True), 0)
    learner.champion.model = model = Fixed(answer)
    label = True if kind == "binary" else 1.0
    scores = digest([learner.champion.scoreboard, learner.champion.errors])
    told = fold(learner, *(message(at, sample(label=label), timestamp=2_500) for at in range(4, 7)))
    assert [type(effect) for effect in told] == [Alert, Predicted, Predicted, Predicted]
    assert (told[0].code, told[0].time) == ("not_finite", 2.5)
    assert told[0].detail == "arm 'champion' no longer predicts finite numbers at position 4; it goes unscored."
    assert [effect.prediction for effect in told[1:]] == [None] * 3
    assert digest([learner.champion.scoreboard, learner.champion.errors]) == scores
    assert len(model.learned) == 3


def test_predictions_that_are_finite_again_are_scored_again():
    learner = Learner(task("regression"), 0)
    learner.champion.model = Fixed(math.nan)
    fold(learner, message(0, sample(label=1.0)))
    learner.champion.model.answer = 3.0
    assert fold(learner, message(1, sample(label=1.0))) == []
    assert learner.describe()["arms"]["champion"]["metrics"]["mae"] == 2.0


@pytest.mark.parametrize("offset", [0, 3, 4])
def test_an_older_offset_is_refused_and_changes_nothing(offset):
    learner = Learner(task(), 0)
    fold(learner, message(4, sample()))
    before = digest(learner.state)
    with pytest.raises(ValueError, match=f"offset {offset} was folded before: the position is 5"):
        fold(learner, message(offset, sample(), timestamp=99))
    assert digest(learner.state) == before
    assert learner.between_messages


def test_the_position_is_the_offset_after_the_last_message():
    learner = Learner(task(), 0)
    for offset in (0, 1, 17):
        fold(learner, message(offset, sample()))
        assert learner.state.position == offset + 1


def test_a_refused_message_moves_the_position_too():
    learner = Learner(task(), 0)
    fold(learner, SimpleNamespace(offset=0, timestamp=0, key=None, value=None))
    assert (learner.state.position, learner.state.quarantined, learner.state.updates) == (1, 1, 0)


def test_passing_over_moves_the_position_forward_only():
    learner = Learner(task(), 0)
    fold(learner, message(0, sample()))
    arms = digest(learner.state.arms)
    learner.pass_over(9)
    assert learner.state.position == 9
    learner.pass_over(4)
    assert learner.state.position == 9
    assert digest(learner.state.arms) == arms
    with pytest.raises(ValueError, match="offset 8"):
        fold(learner, message(8, sample()))
    fold(learner, message(9, sample()))
    assert learner.state.position == 10


def test_between_two_rows_of_a_message_the_position_has_not_moved():
    learner = Learner(task(), 0)
    assert learner.between_messages
    seen = [
        (learner.between_messages, learner.state.position) for _ in learner.fold(message(6, sample(), b"{", sample()))
    ]
    assert seen == [(False, 0), (False, 0), (True, 7)]


def test_each_row_is_folded_only_when_it_is_asked_for():
    learner = Learner(task(), 0)
    rows = learner.fold(message(0, sample(), sample()))
    assert learner.state.updates == 0
    next(rows)
    assert (learner.state.updates, learner.between_messages) == (1, False)
    next(rows)
    assert (learner.state.updates, learner.between_messages) == (2, True)
    assert next(rows, None) is None


def test_the_clock_is_the_largest_timestamp():
    learner, seen = Learner(task(), 0), []
    for offset, timestamp in enumerate([5, 3, 9, -1, 9, 10]):
        fold(learner, message(offset, sample(), timestamp=timestamp))
        seen.append(learner.state.clock)
    assert seen == [5, 5, 9, 9, 9, 10]


def test_a_bad_row_is_quarantined_with_its_origin_between_rows_that_are_learned():
    learner = Learner(task(), 2)
    (told,) = fold(learner, message(8, sample(), b' {"label": NaN}\r', sample(), key=b"k1"))
    assert isinstance(told, Quarantined)
    assert (told.code, told.offset, told.row, told.key, told.value) == ("not_json", 8, 1, b"k1", b' {"label": NaN}\r')
    assert (learner.state.updates, learner.state.quarantined) == (2, 1)


def test_an_unknown_command_is_quarantined_and_not_dropped():
    learner = Learner(task(), 0)
    (told,) = fold(learner, message(0, sample(), {"control": "no-such"}))
    assert (told.code, told.row, json.loads(told.value)) == ("control", 1, {"control": "no-such"})
    assert "no-such" in told.reason
    assert learner.state.updates == 1


def test_the_probes_are_the_features_of_the_last_samples():
    learner = Learner(task(), 0)
    fold(learner, *(message(at, sample(float(at)), b"{") for at in range(PROBES + 8)))
    assert list(learner.state.probes) == [{"x": float(at)} for at in range(8, PROBES + 8)]


def test_reading_a_state_does_not_change_it():
    learner = Learner(task(), 0)
    fold(learner, *(message(at, row) for at, row in enumerate(samples("binary", 30))))
    before = digest(learner.state)
    described = learner.describe()
    assert (described["position"], described["updates"], described["quarantined"]) == (30, 30, 0)
    assert described["arms"]["champion"]["model"] == "logistic"
    for features in ({"x": 1e18, "never": "seen"}, {}, {"y": 1}):
        learner.champion.predict(features)
    assert digest(learner.state) == before


def test_the_bytes_of_a_row_are_found_again():
    assert line_of(message(0, b"a", b"", b" c\r"), 2) == b" c\r"
    assert line_of(SimpleNamespace(value=None), 0) == b""
