"""A task of anomalies: a record is scored, then learned, without a label; a label serves the metrics alone."""

import json
import random
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from headrace.app.settings import parse
from headrace.learning.arms import Arm
from headrace.learning.effects import Drift, Predicted, Quarantined, Resolved
from headrace.learning.errors import DetectorError
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.models import build
from headrace.learning.prediction import Prediction
from headrace.learning.recipe import Range, Recipe, Without
from headrace.learning.records.message import Message
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.task import ArmSettings, Experiment, Task, Threshold, define, under
from headrace.learning.watch import watchings
from headrace.testing import MemoryLog

MODEL = {"use": "quantile", "after": 20}


def task(**more):
    return Task(**{"name": "ads", "kind": "anomaly", "model": MODEL, "predictions": True} | more)


def rows(count, seed=0):
    """Records, of which one in two hundred is far from the others, and whether it is."""
    dice = random.Random(seed)
    for number in range(count):
        strange = number % 200 == 113
        yield {"price": dice.gauss(10, 1) + 20 * strange, "size": dice.gauss(0, 1)}, strange


def fold(learner, *records, timestamp=0):
    """Fold each record as a message of its own; return all effects."""
    effects = []
    for record in records:
        message = SimpleNamespace(
            offset=learner.state.position, timestamp=timestamp, key=None, value=json.dumps(record).encode()
        )
        effects += [effect for row in learner.fold(message) for effect in row]
    return effects


def folded(count=300, **more):
    learner = Learner(task(**more), 0)
    effects = fold(learner, *({"features": x} for x, _ in rows(count)))
    return learner, effects


# Scored first, then learned.


def test_a_record_without_label_and_id_is_scored_and_learned():
    learner, effects = folded(300)
    assert learner.state.updates == learner.champion.updates == 300
    assert len([one for one in effects if isinstance(one, Predicted)]) == 300
    assert learner.state.quarantined == 0


@pytest.mark.parametrize("more", [{}, {"id": "a"}, {"label": True}, {"id": "a", "label": False}])
def test_the_score_is_from_before_the_record_was_learned(more):
    learner, _ = folded(300)
    features = {"price": 55.0, "size": 1.0}
    before, model = learner.champion.predict(features), learner.champion.digest
    (predicted,) = (one for one in fold(learner, {"features": features, **more}) if isinstance(one, Predicted))
    assert predicted.prediction == before
    assert learner.champion.digest != model, "it was learned"
    assert learner.state.updates == 301


@pytest.mark.parametrize("labels", ["none", "with", "early", "late"])
def test_labels_never_reach_the_model(labels):
    learner, plain = Learner(task(), 0), folded(300)[0]
    for number, (x, strange) in enumerate(rows(300)):
        record, label = {"id": f"r{number}", "features": x}, {"id": f"r{number}", "label": strange}
        if labels == "with":
            fold(learner, record | label)
        else:
            fold(learner, *{"none": [record], "early": [label, record], "late": [record, label]}[labels])
    assert learner.champion.digest == plain.champion.digest
    assert learner.state.updates == 300
    assert learner.champion.scoreboard.scored == (0 if labels == "none" else 280), "the first 20 find a cold model"


def test_a_question_is_scored_by_its_frozen_score_and_ends_with_its_label():
    learner, _ = folded(300)
    features = {"price": 40.0, "size": 0.0}
    asked = learner.champion.predict(features)
    fold(learner, {"id": "a", "features": features})
    fold(learner, *({"features": x} for x, _ in rows(100, seed=1)))
    effects = fold(learner, {"id": "a", "label": True})
    assert [(one.how, one.label) for one in effects if isinstance(one, Resolved)] == [("label", True)]
    assert list(learner.champion.scoreboard.window) == [(True, asked.score, asked.score)]
    assert learner.state.updates == 401


def test_a_question_whose_label_does_not_come_expires():
    learner, _ = folded(50, wait="1h")
    fold(learner, {"id": "a", "features": {"price": 1.0}}, timestamp=0)
    effects = fold(learner, {"features": {"price": 1.0}}, timestamp=4_000_000)
    assert [one.how for one in effects if isinstance(one, Resolved)] == ["expired"]
    assert learner.state.updates == 52


def test_what_is_refused_is_not_learned():
    learner, _ = folded(50, name_limit=3)
    fold(learner, {"id": "a", "features": {"price": 1.0}})
    assert learner.state.updates == 51
    refused = fold(learner, {"id": "a", "features": {"price": 2.0}}, {"features": {"x": 1.0, "y": 2.0}})
    refused += fold(learner, {"id": "b", "features": {"x": 1.0, "y": 2.0}}, {"features": {"x": 1.0}, "label": 2})
    codes = [one.code for one in refused if isinstance(one, Quarantined)]
    assert codes == ["duplicate_id", "too_many_names", "too_many_names", "label"]
    assert learner.state.updates == 51


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_other_kinds_still_need_an_id_or_a_label(kind):
    learner = Learner(Task(name="ads", kind=kind), 0)
    (refused,) = fold(learner, {"features": {"price": 1.0}})
    assert refused.code == "incomplete"


def test_a_label_served_with_a_score_is_read():
    """The endpoint appends what it has served: a number without a threshold, true or false with one."""
    for threshold, prediction in (None, 0.7), (0.5, True):
        learner, _ = folded(50, threshold=threshold)
        served = {"arm": "champion", "prediction": prediction, "position": 50}
        fold(learner, {"id": "a", "features": {"price": 1.0}, "served": served}, {"id": "a", "label": True})
        assert learner.state.quarantined == 0
        assert learner.state.served.scored == 1


def test_an_arm_that_learns_before_it_scores_is_noticed(monkeypatch):
    def learn_first(arm, features):
        arm.model.learn_one(features)
        return predict(arm, features)

    predict, features = Arm.predict, {"price": 10.0, "size": 1.0}
    learner, _ = folded(300)
    before = learner.champion.predict(features)
    monkeypatch.setattr(Arm, "predict", learn_first)
    (predicted,) = (one for one in fold(learner, {"features": features}) if isinstance(one, Predicted))
    assert predicted.prediction != before


def test_a_fold_that_gives_labels_to_the_model_is_noticed():
    learner, _ = folded(50)
    learner.is_unlabelled = False
    with pytest.raises(TypeError, match="learn_one"):
        fold(learner, {"features": {"price": 10.0}, "label": True})


# Metrics.


def labelled(**more):
    learner = Learner(task(**more), 0)
    fold(learner, *({"features": x, "label": strange} for x, strange in rows(3_000)))
    return learner


def test_without_a_threshold_only_the_areas_are_measured():
    figures = labelled().champion.scoreboard.values()
    assert {name for name, value in figures.items() if value is None} == {"f1", "precision", "recall"}
    assert figures["roc_auc"] > 0.99
    assert figures["pr_auc"] > 0.9


def test_a_threshold_decides_and_is_measured():
    learner = labelled(threshold=0.6)
    assert learner.champion.predict({"price": 30.0}).value is True
    assert learner.champion.predict({"price": 10.0}).value is False
    assert 0.6 <= learner.champion.predict({"price": 30.0}).score <= 1.0
    figures = learner.champion.scoreboard.values()
    assert figures["recall"] > 0.9
    assert figures["precision"] > 0.7
    assert learner.champion.scoreboard.recent_error() < 0.1


def test_a_threshold_is_chosen_from_the_labels_that_come():
    learner = labelled(threshold=Threshold(precision=0.9))
    assert learner.champion.describe()["threshold"] > 0.5
    assert learner.champion.scoreboard.values()["window"]["precision"] >= 0.9


def test_scores_are_no_probabilities():
    board = labelled().champion.scoreboard
    assert board.recent_loss() is None
    assert board.recent_error() is None, "without a threshold nothing is decided"
    assert "log_loss" not in board.values()


def test_the_json_of_a_prediction_has_the_score():
    assert Prediction(0.25, score=0.25).to_json() == {"prediction": 0.25, "probabilities": None, "score": 0.25}
    assert Prediction(True, score=0.75).to_json() == {"prediction": True, "probabilities": None, "score": 0.75}
    assert "score" not in Prediction(0.25).to_json()


def test_the_example_of_the_page_prints_what_it_says():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "anomalies.md"
    ((code, printed),) = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", page.read_text(), re.DOTALL)
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == printed


def test_the_settings_of_the_page_are_a_task():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "anomalies.md"
    (toml,) = re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    one = parse(tomllib.loads(toml), Path("headrace.toml")).tasks["payments"]
    assert (one.kind, one.threshold, one.features["items"].type) == ("anomaly", Threshold(quantile=0.99), "int")


# What fits, and what does not.


def test_nothing_compares_errors():
    learner, _ = folded(50, arms={"trees": ArmSettings(model="half_space_trees")})
    assert list(learner.state.arms) == ["champion", "trees"]
    assert learner.state.guards == {}
    assert learner.state.experiments == {}
    assert [(one.name, one.watched) for one in watchings(learner.task)] == [("0 adwin", ("score",))]


def test_a_definition_comes_back_as_it_was():
    one = task()
    assert define(under(one, define(one))) == define(one)


def test_the_default_detector_notices_that_the_scores_change():
    learner, _ = folded(1_000)
    effects = fold(learner, *({"features": {"price": 500.0 + 40 * (at % 7), "size": 0.0}} for at in range(60)))
    effects += fold(learner, *({"features": {"price": 10.0, "size": 0.0}} for _ in range(300)))
    assert {(one.watched, one.direction) for one in effects if isinstance(one, Drift)} == {("score", "changed")}


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"guard": {"every": 5}}, "guard is not for anomaly tasks"),
        ({"guard": {"against": [], "label_rate": False, "outlier": {}}}, "guard is not for anomaly tasks"),
        ({"experiments": [{"b": "next"}]}, "experiments is not for anomaly tasks"),
        ({"unanswered": {"assume": False}}, "unanswered is not for anomaly tasks"),
        ({"update": {"batch": 5}}, "update is not for anomaly tasks"),
        ({"rehearsal": {}}, "rehearsal is not for anomaly tasks"),
        ({"reactions": [{"do": "background", "on": "score"}]}, "reactions is not for anomaly tasks"),
        ({"arms": {"batch": {"onnx": "a.onnx"}}}, "arms is not for anomaly tasks"),
        ({"arms": {"majority": False}}, "only a baseline can be left out"),
        ({"features": {"city": {"type": "string", "step": "target"}}}, "features is not for anomaly tasks"),
    ],
)
def test_what_needs_labels_is_refused(more, what):
    with pytest.raises((ValueError, msgspec.ValidationError), match=what):
        msgspec.convert({"name": "ads", "kind": "anomaly", **more}, Task)


def test_a_detector_cannot_watch_an_error_that_is_not_there():
    with pytest.raises(DetectorError, match="cannot watch the error of anomaly tasks"):
        watchings(task(detectors=[{"use": "adwin"}]))


def test_an_experiment_of_a_task_that_learns_from_labels_is_still_taken():
    assert Task(name="ads", kind="binary", experiments=[Experiment(b="next")]).experiments


# Jobs.


def test_unlearn_leaves_a_record_out_as_if_it_had_never_come():
    log = [Message(at, json.dumps({"id": f"r{at}", "features": x}).encode()) for at, (x, _) in enumerate(rows(200))]
    made = RecipeFold(task(), 0, Recipe(why="unlearn", without=Without(positions=[Range(50, 60)], ids=["r13"])))
    made.follow(lambda: log)
    other = Learner(task(), 0)
    fold(other, *({"features": x} for at, (x, _) in enumerate(rows(200)) if not 50 <= at < 60 and at != 13))
    assert made.champion.updates == 189
    assert made.champion.digest == other.champion.digest


@pytest.mark.parametrize(
    "model", ["quantile", "seasonal", "one_class_svm", {"use": "half_space_trees", "window_size": 10, "trees": 2}]
)
def test_a_fold_that_is_taken_up_at_any_position_ends_the_same(model):
    log = MemoryLog(task(model=model, threshold=0.6, wait="30s"))
    for number, (x, strange) in enumerate(rows(40)):
        question, label = {"id": f"r{number}", "features": x}, {"id": f"r{number}", "label": strange}
        parts = [[{"features": x}], [question], [question, label], [label, question], [question | label]][number % 5]
        for part in parts:
            log.append(part, timestamp=1_000 * number)
    log.check_restarts()


# Models.


def test_half_space_trees_know_the_features_of_the_whole_first_window():
    model = build({"use": "half_space_trees", "window_size": 50}, "anomaly")
    for number in range(100):
        model.learn_one({"a": float(number % 5)} | ({"b": float(number % 7)} if number else {}))
    assert {node.feature for tree in model.model.trees for node in tree.iter_branches()} == {"a", "b"}


def test_steps_of_features_are_learned_without_labels():
    features = {"city": {"type": "string", "step": "frequency"}, "price": {}}
    one = msgspec.convert({"name": "ads", "kind": "anomaly", "model": MODEL, "features": features}, Task)
    learner = Learner(one, 0)
    fold(learner, *({"features": {"city": "Porto", "price": 1.0 + at % 3}} for at in range(100)))
    usual, rare = (learner.champion.predict({"city": city, "price": 2.0}).score for city in ("Porto", "Faro"))
    assert usual < rare


@pytest.mark.parametrize("side", ["high", "low", "both"])
def test_a_quantile_looks_at_one_side_or_both(side):
    model = build({"use": "quantile", "side": side}, "anomaly")
    dice = random.Random(1)
    for _ in range(1_000):
        model.learn_one({"x": dice.gauss(0, 1)})
    high, low = model.score_one({"x": 9.0}), model.score_one({"x": -9.0})
    assert (high > 0.5, low > 0.5) == (side != "low", side != "high")


def test_a_season_is_compared_with_itself():
    model = build({"use": "seasonal", "by": "weekday", "feature": "visits"}, "anomaly")
    dice = random.Random(1)
    for day in range(700):
        model.learn_one({"visits": (10 if day % 7 in (2, 3) else 100) + dice.gauss(0, 1), "time": 86_400.0 * day})
    saturday, monday = 86_400.0 * 9, 86_400.0 * 11  # 1970-01-10 and 1970-01-12
    assert (
        model.score_one({"visits": 10.0, "time": saturday}) < 0.5 < model.score_one({"visits": 100.0, "time": saturday})
    )
    assert model.score_one({"visits": 100.0, "time": monday}) < 0.5 < model.score_one({"visits": 10.0, "time": monday})


def test_a_fold_that_begins_again_half_way_ends_as_one_that_does_not():
    whole, _ = folded(400)
    first, _ = folded(150)
    rest = Learner(task(), 0, decode(encode(first.state)))
    fold(rest, *({"features": x} for x, _ in list(rows(400))[150:]))
    assert digest(rest.state) == digest(whole.state)
