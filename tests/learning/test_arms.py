"""The arms beside the champion, the experiments that compare them, traffic, thresholds and segments."""

import json
import math
import random
from collections import Counter

import numpy as np
import pytest
import written_log
from river import dummy
from river import metrics as river_metrics

from headrace.learning.arms.cutoff import EVERY, Cutoff
from headrace.learning.effects import Alert, Drift, Predicted, Quarantined, Reacted
from headrace.learning.experiments import Segment, Traffic, merge_segments
from headrace.learning.metrics.overall import Overall
from headrace.learning.metrics.regret import regret
from headrace.learning.models import build, onnx
from headrace.learning.models.onnx import OnnxClassifier, enter_file
from headrace.learning.prediction import Prediction
from headrace.learning.sequential.loss import PairedLoss
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import ArmSettings, Experiment, Feature, Guard, Task, Threshold, Versions, define

NO_GUARD = Guard(against=[], label_rate=False)
FEATURES = {"x": Feature(), "bias": Feature()}


def task(**settings):
    given = {"kind": "binary", "detectors": [], "reactions": [], "guard": NO_GUARD, "versions": Versions(every=10_000)}
    return Task(name="ads", **(given | settings))


def log_of(**settings):
    return written_log.Log(task(**settings))


def weak(**settings):
    """A task whose champion only guesses by the shares of the labels, and has a challenger that learns."""
    return log_of(**({"model": "majority", "arms": {"tree": ArmSettings(model="logistic")}} | settings))


def test_baselines_answer_as_those_of_river():
    log = log_of(predictions=True)
    log.samples(300)
    wanted = {"no_change": river_metrics.Accuracy(), "majority": river_metrics.Accuracy()}
    models = {"no_change": dummy.NoChangeClassifier(), "majority": dummy.PriorClassifier()}
    again = written_log.Log(task())
    for _ in range(300):
        x = again.rng.gauss(0, 1)
        for name, model in models.items():
            predicted = model.predict_one({})
            if predicted is not None:
                wanted[name].update(x > 0, predicted)
            model.learn_one({}, x > 0)
    for name, metric in wanted.items():
        assert log.state.arms[name].scoreboard.figures()["accuracy"] == metric.get()
    assert {one.arm for one in log.of(Predicted)} == {"champion"}, "what baselines predict is not published"


@pytest.mark.parametrize("name", ["no_change", "majority"])
def test_a_baseline_predicts_the_same_label_with_and_without_probabilities(name):
    chance, model = random.Random(4), build(name, "multiclass")
    assert model.predict_one({}) is None
    for _ in range(3_000):
        model.learn_one({}, chance.choice("abcde"))
        shares = model.predict_proba_one({})
        assert model.predict_one({}) == max(shares, key=shares.__getitem__)


def test_a_waiting_question_holds_probabilities_of_a_baseline_only_where_they_are_compared():
    def frozen(log):
        log.samples(20)
        log.fold({"id": "q", "features": {"x": 1.0, "bias": 1.0}})
        match = log.learner.join.find("q", log.state.step + 1, log.state.clock)
        return match.question[1].predictions["majority"]

    label, shares = frozen(log_of())
    assert (label, shares) in ((True, None), (False, None))
    assert set(frozen(log_of(guard=Guard(loss="log", label_rate=False)))[1]) == {True, False}
    assert set(frozen(log_of(experiments=[Experiment(b="majority", loss="brier")]))[1]) == {True, False}


@pytest.mark.parametrize("loss", ["log", "brier"])
def test_an_answer_without_probabilities_is_not_compared_by_a_loss_that_reads_them(loss):
    sure, brief = Prediction.of_classes({False: 0.1, True: 0.9}), Prediction(True)
    losses = PairedLoss("binary", loss)
    assert losses.of(sure, brief, True) is None
    assert losses.of(brief, sure, True) is None
    assert losses.of(sure, sure, True) is not None
    assert PairedLoss("binary").of(sure, brief, False) == (1.0, 1.0)


def test_a_regression_has_the_last_label_and_the_mean_as_baselines():
    log = log_of(kind="regression")
    for label in (1.0, 2.0, 6.0):
        log.fold({"features": {"x": 1.0}, "label": label})
    arms = log.state.arms
    assert [arms[name].predict({"x": 1.0}).value for name in ("no_change", "mean")] == [6.0, 3.0]
    assert arms["no_change"].scoreboard.figures()["mae"] == 2.5


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"arms": {"no_change": True}}, "only a baseline can be left out"),
        ({"arms": {"tree": False}}, "only a baseline can be left out"),
        ({"arms": {"majority": ArmSettings(model="alma")}}, "is a baseline"),
        ({"arms": {"champion": ArmSettings(model="alma")}}, "comes and goes by itself"),
        ({"experiments": [Experiment(b="tree")]}, "'tree', which the task has not"),
        ({"kind": "regression", "threshold": 0.3}, "threshold is not for regression"),
        ({"kind": "regression", "experiments": [Experiment(b="mean", loss="log")]}, "is not for regression"),
        ({"experiments": [Experiment(b="no_change"), Experiment(b="no_change")]}, "compare the same arms"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, fault):
    with pytest.raises(ValueError, match=fault):
        task(**settings)


@pytest.mark.parametrize(
    "make",
    [
        ArmSettings,
        lambda: ArmSettings(model="alma", onnx="x.onnx"),
        Threshold,
        lambda: Threshold(precision=0.9, false_positive=1.0),
        lambda: Threshold(false_negative=1.0),
        lambda: Experiment(a="tree", b="tree"),
    ],
)
def test_tables_that_say_too_little_or_too_much_are_refused(make):
    with pytest.raises(ValueError, match="either|one of|two arms"):
        make()


def test_a_challenger_that_is_better_is_recommended_and_promoted_by_hand_changes_places():
    log = weak()
    log.samples(400)
    (verdict,) = log.of(Drift)
    assert (verdict.kind, verdict.arm, verdict.direction) == ("experiment", "tree", "better")
    assert verdict.before > verdict.after + 0.2
    (recommended,) = log.of(Reacted)
    assert (recommended.reaction, recommended.mode, recommended.acted) == ("promote", "recommend", False)
    (alert,) = log.of(Alert)
    assert alert.code == "recommended"
    assert "Recommended: headrace promote ads tree, for the signal " in alert.detail
    assert log.champion.model_name == "majority"
    experiment = log.state.experiments["champion tree"]
    assert (experiment.verdict, experiment.decided_at) == ("b_better", int(verdict.id.split("/")[2]))
    before, challenger = log.champion.digest, log.state.arms["tree"].digest
    assert log.control("promote", arm="tree").startswith("promoted tree")
    assert (log.champion.model_name, log.champion.role, log.champion.digest) == ("logistic", "champion", challenger)
    swapped = log.state.arms["tree"]
    assert (swapped.model_name, swapped.role, swapped.digest) == ("majority", "challenger", before)
    assert (experiment.verdict, experiment.difference.count) == ("continue", 0), "it begins again"
    log.samples(400)
    assert experiment.verdict == "a_better"


def test_a_challenger_of_which_it_is_asked_is_promoted_by_itself():
    log = weak(experiments=[Experiment(b="tree", promote="auto")])
    log.samples(400)
    (acted,) = log.of(Reacted)
    assert (acted.reaction, acted.mode, acted.acted) == ("promote", "auto", True)
    assert acted.before != acted.after
    assert log.champion.model_name == "logistic"
    promoted, reversed_ = log.state.signals
    assert promoted.action.startswith("tree is better than champion; promoted tree")
    assert reversed_.action == "champion is better than tree", (
        "the one that was champion before goes on as the challenger"
    )


def test_equal_arms_are_equivalent_and_none_is_promoted():
    log = log_of(arms={"same": ArmSettings(model="logistic")}, experiments=[Experiment(b="same", promote="auto")])
    log.samples(3_000)
    assert log.state.experiments["champion same"].verdict == "equivalent"
    assert log.of(Reacted) == []
    assert log.state.signals[-1].action == "champion and same are equivalent"


def test_questions_asked_before_a_promotion_do_not_count_in_the_new_experiment():
    log = weak()
    log.samples(50)
    log.fold({"id": "q", "features": {"x": 1.0, "bias": 1.0}}, clock=1_000)
    log.fold({"control": "promote", "arm": "tree"}, clock=2_000)
    log.fold({"id": "q", "label": True}, clock=3_000)
    assert log.state.experiments["champion tree"].difference.count == 0
    log.fold({"features": {"x": 1.0, "bias": 1.0}, "label": True}, clock=4_000)
    assert log.state.experiments["champion tree"].difference.count == 1


def test_an_answer_of_the_model_before_counts_as_answered_and_not_as_the_promoted_ones():
    log = weak()
    log.samples(100)
    for number in range(50):
        log.fold({"id": f"q{number}", "features": {"x": 1.0, "bias": 1.0}}, clock=1_000)
    scored, window = log.champion.scoreboard.scored, list(log.state.arms["tree"].scoreboard.window)
    of_name, of_guess = log.state.arms["tree"].scoreboard.scored, list(log.champion.scoreboard.window)
    log.fold({"control": "promote", "arm": "tree"}, clock=2_000)
    board, other = log.champion.scoreboard, log.state.arms["tree"].scoreboard
    assert (board.scored, other.scored) == (scored, of_name), "each name goes on with what it has answered"
    for number in range(50):
        log.fold({"id": f"q{number}", "label": True}, clock=3_000)
    assert (board.scored, list(board.window)) == (scored + 50, window)
    assert (other.scored, list(other.window)) == (of_name + 50, of_guess)
    log.fold({"features": {"x": 1.0, "bias": 1.0}, "label": True}, clock=4_000)
    assert (board.scored, len(board.window), other.scored) == (scored + 51, len(window) + 1, of_name + 51)


@pytest.mark.parametrize("clock", [0, 10**9], ids=["stands still", "is ahead"])
def test_questions_asked_after_a_promotion_count_whatever_the_clock_says(clock):
    log = weak(detectors=[{"use": "ddm"}])
    log.samples(50)
    log.fold({"control": "tick"}, clock=clock)
    log.control("promote", arm="tree")
    log.fold({"id": "q", "features": {"x": 1.0, "bias": 1.0}})
    log.fold({"id": "q", "label": True})
    assert log.state.experiments["champion tree"].difference.count == 1
    assert log.champion.scoreboard.window[-1][:2] == (True, True)


@pytest.mark.parametrize("questions", [False, True])
def test_an_alarm_about_the_champion_of_before_does_not_undo_the_promotion_that_came_with_it(questions):
    """At the record of the promotion, a guard notices that the champion is worse than a baseline."""
    log = weak(
        reactions=[{"on": ["guard"], "do": "rollback", "mode": "auto"}],
        guard=Guard(against=["baselines"], every=1, margin=0.1, label_rate=False),
        experiments=[Experiment(b="tree", promote="auto", alpha=0.00025, margin=0.0)],
    )

    def give(x, label):
        if questions:
            log.fold({"id": f"{log.state.step}", "features": {"x": x}})
            log.fold({"id": f"{log.state.step - 1}", "label": label})
        else:
            log.fold({"features": {"x": x}, "label": label})

    for _ in range(130):
        give(1.0, True)
    log.control("checkpoint")
    for number in range(400):
        side = (number // 20) % 2 == 1
        give(1.0 if side else -1.0, side)
    (alarm,) = [one for one in log.state.signals if one.kind == "guard"]
    promoted = next(one for one in log.state.signals if "promoted tree" in one.action)
    assert alarm.position == promoted.position, "else this test shows nothing"
    assert alarm.action == "none: the model was replaced at this record"
    assert [one.reaction for one in log.of(Reacted)] == ["promote"]
    assert log.champion.model_name == "logistic"


def test_a_loss_that_is_compared_from_now_on_is_compared_with_baselines_too():
    log = log_of()
    log.samples(20)
    of_labels = json.loads(define(task()))
    log.control("define", task=of_labels | {"guard": {"against": ["baselines"], "loss": "log", "every": 1}})
    guard = log.state.guards["below_baseline"].comparisons["majority"]
    log.samples(20)
    assert guard.detector.count == 20
    log.control("define", task=of_labels | {"experiments": [{"a": "champion", "b": "majority", "loss": "brier"}]})
    log.samples(20)
    assert log.state.experiments["champion majority"].difference.count == 20
    assert not log.state.arms["majority"].is_brief
    log.control("define", task=of_labels)
    assert log.state.arms["majority"].is_brief


def test_the_former_champion_is_told_apart_right_after_a_promotion():
    log = weak()
    log.samples(400)
    log.control("promote", arm="tree")
    log.samples(100)
    overall = {}
    for name, arm in log.state.arms.items():
        overall[name] = Overall("binary", of_labels=arm.role == "baseline")
        overall[name].add(arm.scoreboard)
    found = regret("binary", overall, {name: one.values() for name, one in overall.items()})
    assert found.best == "tree", "the name under which the model answered that is the champion now"
    assert found.all > 0.2
    assert found.best_recent == "champion"
    assert str(found.window) == "0.0"


@pytest.mark.parametrize("act", ["promote", "install", "define"])
def test_a_roll_back_goes_to_the_model_that_was_replaced_even_if_that_was_a_version_already(act):
    log = weak()
    log.samples(100)
    log.control("checkpoint")
    (replaced,) = log.saved()
    if act == "promote":
        log.control("promote", arm="tree")
    elif act == "install":
        log.give("j", log.state.arms["tree"])
        artefact = f"sha256:{log.state.arms['tree'].digest}"
        log.control("install", id="j", artefact=artefact, model="logistic", updates=100)
    else:
        log.control("define", task=json.loads(define(task(model="logistic"))), cold=True)
    assert log.saved()[-1].replaces == replaced.id
    log.samples(1)
    assert log.control("rollback").endswith(f"to {replaced.id}")


def test_a_roll_back_goes_to_the_last_version_of_a_message_that_saved_several():
    log = log_of(versions=Versions(every=100))
    log.fold(*({"features": {"x": number % 7}, "label": number % 7 > 3} for number in range(350)))
    log.samples(1)
    assert [one.updates for one in log.saved()] == [100, 200, 300]
    assert log.control("rollback").endswith(f"to {log.saved()[2].id}")


def test_versions_have_the_recent_error_of_their_own_model():
    """Of a model that guesses, of the one that was promoted, and of the first again after a roll back."""
    log = weak()
    log.samples(400)
    log.control("promote", arm="tree")
    guess, learned = log.saved()
    assert (guess.model, learned.model, learned.parent) == ("majority", "logistic", guess.id)
    assert learned.error < 0.1 < 0.3 < guess.error
    log.control("rollback", to=guess.id)
    log.samples(20)
    log.control("checkpoint")
    assert log.saved()[-1].error is None, "twenty predictions say too little"
    log.samples(200)
    log.control("checkpoint")
    assert log.saved()[-1].error > 0.3
    assert log.control("rollback", to="best").endswith(f"to {learned.id}")


def test_a_promoted_model_is_a_version_and_a_roll_back_goes_to_the_one_before():
    log = weak()
    log.samples(100)
    log.control("promote", arm="tree")
    before, after = log.saved()
    assert (log.champion.version, log.champion.digest, after.updates) == (after.id, after.digest, 100)
    log.samples(10)
    assert log.control("rollback").endswith(f"to {before.id}")
    assert (log.champion.version, log.champion.digest) == (before.id, before.digest)


def test_the_label_at_which_an_arm_is_promoted_counts_in_no_experiment_that_begins_again():
    log = weak(
        experiments=[
            Experiment(b="tree", promote="auto"),
            Experiment(b="no_change"),
            Experiment(a="tree", b="majority"),
        ]
    )
    while log.champion.model_name == "majority":
        log.samples(1)
    assert {one.difference.count for one in log.state.experiments.values()} == {0}


def test_the_answer_of_a_changed_model_is_not_scored_on_the_next_changed_model():
    log = log_of(model="majority")
    log.samples(20)
    redefined(log, model="logistic")
    log.fold({"id": "q", "features": {"x": 1.0, "bias": 1.0}}, clock=1_000)
    log.fold({"control": "define", "task": json.loads(define(task(model="alma")))}, clock=2_000)
    log.fold({"id": "q", "label": True}, clock=3_000)
    assert log.state.arms["next"].scoreboard.scored == 0


@pytest.mark.parametrize("arm", ["no_change", "last", "nobody"])
def test_only_a_challenger_can_be_promoted(arm):
    log = log_of(guard=Guard(label_rate=False), versions=Versions(every=50))
    log.samples(60)
    log.fold({"control": "promote", "arm": arm})
    assert "there is no challenger" in log.of(Quarantined)[-1].reason


def redefined(log, **settings):
    wanted = json.loads(define(task(**settings)))
    return log.control("define", task=wanted)


def test_a_definition_begins_ends_and_changes_arms():
    log = log_of()
    log.samples(20)
    assert redefined(log, arms={"tree": ArmSettings(model="hoeffding_tree")}) == "changed arms"
    log.samples(10)
    tree = log.state.arms["tree"]
    assert (tree.role, tree.updates) == ("challenger", 10)
    assert "champion tree" in log.state.experiments
    redefined(log, arms={"tree": ArmSettings(model="hoeffding_tree"), "pa": ArmSettings(model="pa")})
    assert log.state.arms["tree"] is tree, "an arm that is not changed goes on"
    redefined(log, arms={"tree": ArmSettings(model="alma"), "majority": False})
    assert set(log.state.arms) == {"champion", "no_change", "tree"}
    assert (log.state.arms["tree"].model_name, log.state.arms["tree"].updates) == ("alma", 0)
    assert list(log.state.experiments) == ["champion tree", "champion next"]
    redefined(log)
    assert set(log.state.arms) == {"champion", "no_change", "majority"}


def test_a_promoted_challenger_stays_promoted_when_another_arm_is_added():
    log = weak()
    log.samples(60)
    log.control("promote", arm="tree")
    arms = {"tree": ArmSettings(model="logistic"), "pa": ArmSettings(model="pa")}
    assert redefined(log, model="majority", arms=arms) == "changed arms"
    assert (log.champion.model_name, log.state.arms["tree"].model_name) == ("logistic", "majority")


def test_a_saved_version_can_be_an_arm_that_learns_no_more():
    log = log_of(versions=Versions(every=50))
    log.samples(60)
    (version,) = log.saved()
    settings = {"versions": Versions(every=50), "arms": {"then": ArmSettings(version=version.id)}}
    redefined(log, **settings)
    log.samples(60)
    then = log.state.arms["then"]
    assert (then.role, then.version, then.digest) == ("frozen", version.id, version.digest)
    assert then.scoreboard.scored == 60
    redefined(log, **(settings | {"arms": {"then": ArmSettings(version="v1-0-1")}}))
    assert "then" not in log.state.arms, "this shard has no such version"


def test_a_model_that_does_not_exist_refuses_the_definition_and_changes_nothing():
    log = log_of()
    before = digest(log.state)
    wanted = json.loads(define(task())) | {"arms": {"tree": {"model": "no_such"}}}
    log.fold({"control": "define", "task": wanted})
    assert "there is no model 'no_such'" in log.of(Quarantined)[-1].reason
    assert before != digest(log.state), "the record itself counts"
    assert set(log.state.arms) == {"champion", "no_change", "majority"}


@pytest.mark.parametrize(
    "settings",
    [
        {"arms": {"tree": ArmSettings(model="hoeffding_tree"), "majority": False}},
        {"experiments": [Experiment(b="majority", promote="auto"), Experiment(a="no_change", b="majority")]},
        {"threshold": Threshold(precision=0.7), "segments": ["country", "none"]},
        {"kind": "regression", "arms": {"other": ArmSettings(model="hoeffding_regressor")}, "segments": ["country"]},
    ],
)
def test_a_restart_at_any_place_ends_with_the_same_state(settings):
    def rows():
        rng = random.Random(5)
        for number in range(900):
            x = rng.gauss(0, 1)
            label = x if settings.get("kind") == "regression" else (x > 0) != (rng.random() < 0.1)
            yield {"features": {"x": x, "country": f"c{number % 60}"}, "label": label}

    whole = written_log.Log(task(**settings))
    parts = written_log.Log(task(**settings))
    for log in (whole, parts):
        log.fold({"control": "traffic", "shares": {"no_change": 0.25}, "salt": "s"})
    for number, row in enumerate(rows()):
        whole.fold(row)
        parts.fold(row)
        if number % 97 == 0:
            sealed = seal(parts.state, parts.learner.settings, 0, writer="test")
            parts.learner = type(parts.learner)(
                parts.learner.settings, 0, unseal(sealed, parts.learner.settings, 0), supplies=parts.supplies
            )
    assert digest(whole.state) == digest(parts.state)
    assert parts.state.traffic.describe() == {"champion": 0.75, "no_change": 0.25}


def test_traffic_splits_by_key_stably_and_near_its_shares():
    traffic = Traffic()
    traffic.split({"tree": 0.3, "pa": 0.1, "champion": 0.6}, salt="a")
    arms = {f"user {number}": traffic.choose(f"user {number}") for number in range(20_000)}
    shares = {arm: count / 20_000 for arm, count in Counter(arms.values()).items()}
    assert shares == pytest.approx({"tree": 0.3, "pa": 0.1, "champion": 0.6}, abs=0.015)
    assert all(traffic.choose(key) == arm for key, arm in list(arms.items())[:1000])
    traffic.split({"tree": 0.3, "pa": 0.1}, salt="b")
    moved = sum(traffic.choose(key) != arm for key, arm in arms.items()) / 20_000
    assert moved == pytest.approx(1 - (0.36 + 0.09 + 0.01), abs=0.02), "another salt splits independently"
    traffic.leave("tree")
    assert {traffic.choose(key) for key in arms} == {"champion", "pa"}


@pytest.mark.parametrize(
    ("shares", "fault"),
    [
        ({"nobody": 0.5}, "there is no arm 'nobody'"),
        ({"no_change": 0.7, "majority": 0.7}, "add up to 1.4"),
        ({"champion": 0.5, "majority": 0.1}, "add up to 0.6"),
    ],
)
def test_traffic_that_cannot_be_is_refused(shares, fault):
    log = log_of()
    log.fold({"control": "traffic", "shares": shares})
    assert fault in log.of(Quarantined)[-1].reason
    assert log.state.traffic.describe() == {"champion": 1.0}


def test_an_arm_that_ends_gives_its_traffic_back():
    log = weak()
    log.control("traffic", shares={"tree": 0.5})
    redefined(log, model="majority")
    assert log.state.traffic.describe() == {"champion": 1.0}


def test_a_changed_model_that_is_taken_back_gives_its_traffic_back():
    log = log_of(model="majority")
    log.samples(20)
    redefined(log, model="logistic")
    log.control("traffic", shares={"next": 0.5})
    redefined(log, model="majority")
    assert "next" not in log.state.arms
    assert log.state.traffic.describe() == {"champion": 1.0}


def test_another_changed_model_begins_its_experiment_anew():
    log = log_of(model="majority")
    log.samples(20)
    redefined(log, model="logistic")
    log.samples(200)
    assert log.state.experiments["champion next"].difference.count == 200
    redefined(log, model="hoeffding_tree")
    assert log.state.experiments["champion next"].difference.count == 0
    assert log.state.experiments["champion next"].verdict == "continue"


def test_a_fixed_threshold_changes_the_label_and_not_the_probability():
    log, plain = log_of(threshold=0.9, predictions=True), log_of(predictions=True)
    log.samples(200)
    plain.samples(200)
    pairs = [
        (one.prediction, other.prediction) for one, other in zip(log.of(Predicted), plain.of(Predicted), strict=True)
    ]
    pairs = [(one, other) for one, other in pairs if one is not None]
    assert all(one.probabilities == other.probabilities for one, other in pairs)
    assert all(one.value == (one.probabilities[True] >= 0.9) for one, _ in pairs)
    assert any(one.value != other.value for one, other in pairs)
    assert log.champion.describe()["threshold"] == 0.9


def noisy(log, count):
    for _ in range(count):
        x = log.rng.gauss(0, 1)
        log.fold({"features": {"x": x, "bias": 1.0}, "label": log.rng.random() < 1 / (1 + math.exp(-2 * x))})


@pytest.mark.parametrize(("wanted", "of"), [(0.9, "precision"), (0.75, "precision")])
def test_a_threshold_that_asks_for_a_precision_meets_it_and_misses_little(wanted, of):
    log = log_of(threshold=Threshold(precision=wanted))
    noisy(log, 6_000)
    window = log.champion.scoreboard.values()["window"]
    assert window[of] == pytest.approx(wanted, abs=0.05)
    assert 0 < window["recall"] < 1


def test_a_threshold_by_costs_is_near_the_one_that_theory_says():
    log = log_of(threshold=Threshold(false_positive=1, false_negative=4))
    noisy(log, 8_000)
    assert log.champion.cutoff.at == pytest.approx(1 / 5, abs=0.12)


def test_the_cutoff_is_the_best_of_all_candidates():
    rng = random.Random(1)
    for _ in range(50):
        labels = [rng.random() < rng.choice([0.1, 0.5]) for _ in range(EVERY)]
        rows = [(label, True, rng.choice([0.02, 0.2, 0.43, 0.5, 0.8]) ** (0.5 if label else 1.0)) for label in labels]
        cutoff = Cutoff(Threshold(false_positive=2.0, false_negative=3.0))
        for row in rows:
            cutoff.update(row)

        def cost(at):
            return sum(0 if (p >= at) == label else 3 if label else 2 for label, _, p in rows)  # noqa: B023

        assert cost(cutoff.at) == min(cost(at) for _, _, at in rows)


def test_a_cutoff_counts_every_probability_of_its_cell():
    """True labels at the lower end of a cell count for the precision, so they must be predicted."""
    cutoff = Cutoff(Threshold(precision=0.9))
    rows = [(number % 20 != 0, True, 0.5 if number % 20 else 0.515) for number in range(EVERY)]
    for row in rows:
        cutoff.update(row)
    assert cutoff.at == 0.5
    found = [label for label, _, p in rows if cutoff.decide(p)]
    assert sum(found) / len(found) == 0.95


def test_a_threshold_is_chosen_from_the_predictions_of_the_model_that_it_is_for():
    log = weak(threshold=Threshold(precision=0.9))
    log.samples(700)
    ours = log.state.arms["tree"].cutoff
    log.control("promote", arm="tree")
    assert log.champion.cutoff is ours
    version = log.saved()[0]
    log.control("rollback", to=version.id)
    assert (log.champion.cutoff, ours.tally.count) == (ours, 0)


def test_segments_add_up_to_the_champion_and_are_bounded():
    log = log_of(segments=["country"])
    for number in range(600):
        features = {"x": log.rng.gauss(0, 1)} | ({"country": f"c{number % 70}"} if number % 5 else {})
        log.fold({"features": features, "label": features["x"] > 0})
    segment = log.state.segments["country"]
    assert len(segment.scores) == 51
    assert segment.scores["(missing)"].scored == sum(number % 5 == 0 for number in range(600))
    assert segment.scores["(others)"].scored > 0
    board = log.champion.scoreboard
    assert sum(one.scored for one in segment.scores.values()) == board.scored
    right = sum(one.values()["accuracy"] * one.scored for one in segment.scores.values())
    assert right == pytest.approx(board.figures()["accuracy"] * board.scored)
    merged = merge_segments("binary", [segment, segment])
    assert sum(one.scored for one in merged.scores.values()) == 2 * board.scored


def test_the_figures_of_a_segment_over_all_shards_are_of_all_its_records():
    def shard(values):
        segment = Segment("binary")
        for value in values:
            segment.update(value, True, True)
        return segment

    whole = Counter()
    shards = []
    for start in (0, 20, 40):
        values = [f"c{number % 80}" for number in range(start, start + 400)]
        whole.update(values)
        shards.append(shard(values))
    merged = {value: scores.scored for value, scores in merge_segments("binary", shards).scores.items()}
    assert sum(merged.values()) == 1200
    assert len(merged) > 5
    assert all(count == whole[value] for value, count in merged.items() if value != "(others)")


def test_values_of_other_types_and_long_strings_are_segments_of_their_own():
    segment = Segment("binary")
    values = [
        1,
        "1",
        True,
        "true",
        "(missing)",
        None,
        "(others)",
        '"1"',
        1.5,
        "1.5",
        "nan",
        "PT",
        "x" * 200 + "a",
        "x" * 200 + "b",
    ]
    for value in values:
        segment.update(value, True, True)
    assert [scores.scored for scores in segment.scores.values()] == [1] * len(values)
    assert list(segment.scores)[:6] == ["1", '"1"', "true", '"true"', '"(missing)"', "(missing)"]
    assert "PT" in segment.scores


@pytest.fixture(scope="module")
def batch():
    """A batch model of scikit-learn for two numbers, as a file of ONNX, and the model itself."""
    pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 2))
    model = LogisticRegression().fit(x, x[:, 0] + 0.5 * x[:, 1] > 0)
    written = skl2onnx.to_onnx(
        model, initial_types=[("row", FloatTensorType([None, 2]))], options={id(model): {"zipmap": False}}
    )
    return written.SerializeToString(), model


def test_a_batch_model_answers_as_its_library_does_and_learns_nothing(batch):
    data, model = batch
    sha = enter_file(data)
    settings = task(features=FEATURES, arms={"batch": ArmSettings(onnx=f"sha256:{sha}")})
    log = written_log.Log(settings)
    arm, rng = log.state.arms["batch"], random.Random(2)
    for _ in range(50):
        x = {"x": rng.gauss(0, 1), "bias": rng.gauss(0, 1)}
        wanted = model.predict_proba([[x["x"], x["bias"]]])[0][1]
        assert arm.predict(x).probabilities[True] == pytest.approx(wanted, abs=2e-6)
    before = arm.digest
    log.samples(100)
    assert (arm.digest, arm.role, arm.scoreboard.scored) == (before, "frozen", 100)
    sealed = seal(log.state, settings, 0, writer="test")
    assert digest(unseal(sealed, settings, 0)) == digest(log.state)


def test_a_batch_model_whose_file_is_not_there_stops_the_fold(batch, monkeypatch):
    sha = enter_file(batch[0])
    settings = task(features=FEATURES, arms={"batch": ArmSettings(onnx=f"sha256:{sha}")})
    log = written_log.Log(settings)
    monkeypatch.setattr(onnx, "FILES", {})
    monkeypatch.setattr(onnx, "SESSIONS", {})
    with pytest.raises(onnx.ModelError, match="there is no ONNX file"):
        log.samples(1)


def test_features_that_a_batch_model_cannot_take_get_no_answer(batch):
    model = build(
        {"use": "onnx", "digest": enter_file(batch[0]), "features": '["x", "bias"]', "labels": "[false, true]"},
        "binary",
    )
    assert isinstance(model, OnnxClassifier)
    assert model.predict_proba_one({"x": "text", "bias": 1.0}) == {}
    assert set(model.predict_proba_one({"x": 1.0, "bias": 1.0})) == {False, True}


def test_a_part_of_the_negatives_is_learned_and_probabilities_are_corrected_for_it():
    """Two logs of the same records: one learns all, and one learns a tenth of those that are false."""
    figures = {}
    for share in (None, 0.1):
        log = log_of(negatives=share, model={"use": "logistic", "learning_rate": 0.05})
        chance = random.Random(5)
        for _ in range(6_000):
            x = chance.gauss(0, 1)
            log.fold({"features": {"x": x}, "label": chance.random() < 0.3 / (1 + math.exp(3 - 2 * x))})
        window = log.champion.scoreboard.window
        mean = sum(p for _, _, p in window) / len(window)
        figures[share] = mean, log.champion.scoreboard.figures()["roc_auc"], log.champion.updates
        true = sum(label for label, _, _ in window) / len(window)
        assert 0.5 < mean / true < 2, "probabilities are of all records"
    assert figures[0.1][2] == figures[None][2] == 6_000
    assert figures[0.1][1] > figures[None][1] - 0.03
    assert log.champion.made_of == {"use": "logistic", "learning_rate": 0.05, "negatives": 0.1}
    again = unseal(seal(log.state, log.learner.task, 0, writer="test"), log.learner.task, 0)
    assert digest(again) == digest(log.state)


def test_a_version_that_learned_all_records_is_not_corrected_after_a_roll_back():
    log = log_of()
    log.samples(100)
    log.control("checkpoint")
    before = log.champion.predict({"x": 0.3, "bias": 1.0})
    log.control("define", task=json.loads(define(task(negatives=0.1))), cold=True)
    log.samples(100)
    assert log.champion.sampling.share == 0.1
    log.control("rollback", to=log.saved()[0].id)
    assert log.champion.sampling is None
    assert log.champion.predict({"x": 0.3, "bias": 1.0}) == before


def test_negatives_are_for_two_classes_alone():
    with pytest.raises(ValueError, match="negatives is not for multiclass tasks"):
        task(kind="multiclass", negatives=0.1)
