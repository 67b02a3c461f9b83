"""What each reaction does, through a learner that folds a log in which the world changes."""

import msgspec
import pytest
from written_log import Log

from headrace.learning.acts.job import decode_job
from headrace.learning.arms import Arm
from headrace.learning.effects import Alert, Drift, Quarantined, Reacted
from headrace.learning.encoding import decode, digest
from headrace.learning.errors import DetectorError, ReactionError
from headrace.learning.models import build
from headrace.learning.models.rate import holders
from headrace.learning.reactions import reactings
from headrace.learning.recipe import Recipe
from headrace.learning.task import BACKGROUND, Guard, Rehearsal, Task, Versions
from headrace.learning.watch import watchings

QUIET = Guard(against=[], label_rate=False)
ADWIN = {"use": "adwin", "delta": 0.4}


def task_of(*reactions, **others):
    """A task with an eager detector of the error, these reactions and no guard."""
    usual = {"kind": "binary", "model": "logistic", "detectors": [ADWIN], "guard": QUIET}
    return Task(**{"name": "ads", "reactions": list(reactions)} | usual | others)


def auto(do, on="error", **parameters):
    return {"do": do, "on": on, "mode": "auto"} | parameters


def drifted(*reactions, steady=160, **others):
    """A log whose world has just changed, and what the first reaction to that did."""
    log = Log(task_of(*reactions, **others))
    log.samples(steady)
    return log, log.until(Reacted)


def worse(log):
    """The last signal of an error that has risen."""
    return [one for one in log.state.signals if one.direction == "worse"][-1]


def test_hold_says_why_no_action_is_needed_and_keeps_those_after_it_from_acting():
    log, held = drifted({"do": "hold", "young": 10_000}, {"do": "alert"}, auto("reset"))
    assert held.did == f"held: the champion has learned {log.champion.updates} labels only"
    assert (held.reaction, held.acted, held.before, held.after) == ("hold", True, "", "")
    log, held = drifted({"do": "hold", "young": 1, "rise": 1e6}, {"do": "alert"})
    assert held.did == "held: the error has risen by less than 100000000%"
    assert log.of(Alert) == []


def test_alert_tells_an_operator_where_hold_has_no_reason_to():
    log, alert = drifted({"do": "hold", "young": 1, "rise": 0.0}, {"do": "alert"})
    assert (alert.reaction, alert.did) == ("alert", "alert")
    assert [one.code for one in log.of(Alert)] == ["drift"]
    assert "adwin: the error of arm 'champion' went from" in log.of(Alert)[0].detail
    assert worse(log).action == "alert"


def test_boost_multiplies_the_rate_exactly_and_goes_back_in_a_straight_line(monkeypatch):
    log, boosted = drifted(auto("boost", factor=4, over=4, cooldown=10_000))
    assert boosted.did == "learning rate times 4, back over 4 updates"
    assert boosted.before == boosted.after, "the model that learned before is the same"
    rates, model = [], log.champion.model
    learn_one = type(model).learn_one

    def spy(self, x, y):
        rates.append(next(holders(self)).learning_rate)
        learn_one(self, x, y)

    monkeypatch.setattr(type(model), "learn_one", spy)
    log.samples(6, sign=-1)
    assert rates == pytest.approx([0.02, 0.01625, 0.0125, 0.00875, 0.005, 0.005], rel=1e-12)
    assert rates[0] == 4 * 0.005


def test_versions_that_are_saved_while_the_rate_is_changed_have_the_models_own_rate():
    log, _ = drifted(auto("boost", factor=4, over=50, cooldown=10_000), versions=Versions(every=7, keep=50))
    seen = len(log.saved())
    log.samples(30, sign=-1)
    assert log.champion.rate.left == 20
    for version in log.saved()[seen:]:
        model = decode(log.supplies.artefacts.saved[version.digest], ())
        assert [holder.learning_rate for holder in holders(model)] == [0.005]
    assert len(log.saved()) - seen >= 4


def test_boost_declines_where_the_model_has_no_rate():
    log = Log(task_of(auto("boost"), model="hoeffding_tree"))
    log.samples(160)
    log.until(Drift)
    assert worse(log).action == "boost declined: the model 'hoeffding_tree' has no learning rate"
    assert log.of(Reacted) == []


def test_calm_lowers_the_rate():
    log, calmed = drifted(auto("calm", factor=0.5, over=10))
    assert (calmed.reaction, calmed.did) == ("calm", "learning rate times 0.5, back over 10 updates")
    assert (log.champion.rate.factor, log.champion.rate.left) == (0.5, 10)


def test_reset_saves_the_champion_and_begins_with_a_new_model():
    log, reset = drifted(auto("reset"))
    version = log.saved()[-1]
    assert reset.did == f"reset; before it was {version.id}"
    assert (version.reason, version.digest) == ("reaction", reset.before)
    assert reset.after == log.champion.digest == digest(build("logistic", "binary"))
    assert (log.champion.updates, log.champion.version) == (0, version.id)
    log.control("rollback", to=version.id)
    assert log.champion.digest == reset.before


def test_a_model_in_the_background_takes_the_champions_place_once_it_is_better():
    log, begun = drifted(auto("background", give_up=400), model="naive_bayes", steady=300)
    assert begun.did == "a new model learns beside the champion, for 400 labels at most"
    assert log.state.arms[BACKGROUND].updates == 0
    ended = log.until(Reacted)
    version, taught = log.saved()[-2:]
    assert ended.did == f"the model in the background is better, and took the place of {version.id}"
    assert (log.champion.version, taught.digest, taught.parent) == (taught.id, ended.after, version.id)
    assert (ended.signal, version.digest, version.reason) == (begun.signal, ended.before, "reaction")
    assert BACKGROUND not in log.state.arms
    assert 0 < log.champion.updates < 400


def test_a_model_in_the_background_that_is_no_better_is_dropped():
    log, _ = drifted(auto("background", give_up=20), model="naive_bayes", steady=300)
    champion = log.champion.model
    ended = log.until(Reacted)
    assert "was dropped: it was not better in time" in ended.did
    assert (ended.acted, ended.before, ended.after) == (True, "", "")
    assert BACKGROUND not in log.state.arms
    assert log.champion.model is champion


def test_a_challenger_that_is_dropped_gives_its_traffic_back():
    log, _ = drifted(auto("background", give_up=20), model="naive_bayes", steady=300)
    assert log.control("traffic", shares={BACKGROUND: 0.5}) == "traffic: champion 0.5, background 0.5"
    log.samples(60, -1)
    assert BACKGROUND not in log.state.arms
    assert log.state.traffic.describe() == {"champion": 1.0}


def test_a_model_begins_in_the_background_at_a_warning_and_there_is_one_at_a_time():
    detectors = [{"use": "evidence", "between": 1_000}]
    log = Log(task_of(auto("background", ["warning", "error"], cooldown=0), detectors=detectors, model="naive_bayes"))
    log.samples(600)
    begun = log.until(Reacted)
    assert [one.kind for one in log.of(Drift) if one.id == begun.signal] == ["warning"]
    for _ in range(200):
        log.samples(1, sign=-1)
        if log.state.signals[-1].kind == "drift":
            break
    assert "declined: there is a challenger in the background already" in log.state.signals[-1].action


def test_an_answer_of_an_earlier_model_in_the_background_says_nothing_of_the_next_one():
    log, _ = drifted(auto("background", give_up=20), model="naive_bayes", steady=300, wait="1h")
    asked = {"id": "q", "features": {"x": 1.0, "bias": 1.0}}
    log.fold(asked, clock=1_000)
    assert "was dropped" in log.until(Reacted).did
    log.samples(1_000, sign=-1)
    begun = log.until(Reacted, sign=1)
    assert begun.did.startswith("a new model learns beside the champion")
    log.fold({"id": "q", "label": True}, clock=2_000)
    assert log.state.background.difference.count == 0
    later = dict(asked, id="r")
    log.fold(later, clock=3_000)
    log.fold({"id": "r", "label": True}, clock=4_000)
    assert log.state.background.difference.count == 1


def test_a_model_in_the_background_that_is_promoted_by_hand_is_compared_no_more():
    log, _ = drifted(auto("background", cooldown=10_000), model="naive_bayes", steady=300)
    log.samples(5, sign=-1)
    challenger = log.state.arms[BACKGROUND].model
    assert log.control("promote", arm=BACKGROUND).startswith("promoted background")
    assert log.champion.model is challenger
    assert BACKGROUND not in log.state.arms
    seen = len(log.of(Reacted))
    log.samples(60, sign=-1)
    assert len(log.of(Reacted)) == seen


def test_the_comparison_in_the_background_begins_again_when_the_champion_is_replaced():
    """Else the new champion would be blamed for the losses of the one before."""
    log, _ = drifted(auto("background", cooldown=10_000), model="naive_bayes", steady=300)
    log.samples(20, sign=-1)
    assert log.state.background.difference.count > 10
    log.control("checkpoint")
    log.samples(1, sign=-1)
    log.control("rollback", to="previous")
    assert log.state.background.difference.count == 0


def test_retrain_asks_for_a_job_that_learns_the_last_messages():
    log, asked = drifted(auto("retrain", messages=50, passes=2))
    here = log.state.position - 1
    name = f"drift-0-{here}-0"
    assert asked.did == f"asked for retrain {name}"
    assert decode_job(log.state.jobs[name]).recipe == Recipe(why="retrain", start=here - 50, passes=2, repeat_to=here)


def test_rollback_puts_the_last_good_version_in_the_champions_place():
    guard = Guard(against=["last_good"], label_rate=False, mode="shadow", every=1)
    log, back = drifted(auto("rollback"), guard=guard, versions=Versions(every=50))
    lost, good = log.saved()[-1], log.state.versions.saved[log.champion.version]
    assert back.did == f"rolled back from {lost.id} to {good.id}"
    assert (lost.reason, lost.digest) == ("rollback", back.before)
    assert back.after == log.champion.digest == good.digest
    assert log.champion.updates == good.updates
    assert log.state.guards["degraded"].comparison.count == 0
    log.samples(1)
    assert log.champion.digest != log.state.arms["last_good"].digest, "the frozen one learns no more"


def test_rollback_declines_where_there_is_no_good_version():
    log = Log(task_of(auto("rollback")))
    log.samples(160)
    log.until(Drift)
    assert worse(log).action == "rollback declined: there is no version to go back to yet"


def test_pause_stands_in_the_state_until_the_log_has_a_resume():
    log, paused = drifted(auto("pause"))
    assert paused.did == "paused: records wait in the log"
    assert log.state.paused == f"breaker/{log.state.position - 1}/0"
    assert log.control("resume") == "resumed"
    assert log.state.paused is None


def test_in_shadow_a_reaction_is_only_reported():
    log, told = drifted(auto("boost") | {"mode": "shadow"}, {"do": "alert"})
    assert (told.mode, told.acted, told.did) == ("shadow", False, "would be tried: boost")
    assert log.champion.rate.left == 0
    assert worse(log).action == "would be tried: boost; alert"
    assert list(log.state.acts) == ["0 boost"], "what would be tried has the budget that the act would have"


def test_a_recommended_reaction_waits_for_the_control_record_react():
    log, told = drifted({"do": "reset"})
    signal, before = worse(log), log.champion.digest
    assert (told.mode, told.acted, signal.advised) == ("recommend", False, "0 reset")
    assert log.of(Alert)[-1].code == "recommended"
    assert log.control("react", signal=signal.id).startswith("reset; before it was")
    assert log.champion.digest != before
    after = next(one for one in log.state.signals if one.id == signal.id)
    assert (after.advised, after.action.startswith("recommended: reset; reset;")) == (None, True)
    assert log.of(Reacted)[-1].signal == signal.id
    assert "no reaction is recommended" in log.control("react", signal=signal.id)
    assert "there is no signal 'x'" in log.control("react", signal="x")


def test_a_reaction_acts_no_more_often_than_its_budget_and_not_within_its_cooldown():
    for terms, reason in [({"budget": 1, "cooldown": 0}, "it has acted 1 times"), ({"cooldown": 10**6}, "records ago")]:
        log, _ = drifted(auto("boost", over=1, **terms))
        for sign in (1, -1, 1, -1):
            log.samples(150, sign)
        assert len(log.of(Reacted)) == 1
        assert f"boost not tried: {reason}" in worse(log).action or reason in worse(log).action
    log, _ = drifted(auto("boost", over=1, cooldown=0))
    for sign in (1, -1, 1, -1):
        log.samples(150, sign)
    assert len(log.of(Reacted)) > 1


def test_what_is_recommended_counts_for_the_budget_and_the_cooldown_and_carrying_it_out_does_not_count_again():
    log, _ = drifted({"do": "boost", "over": 1, "budget": 1})
    signal = worse(log)
    for sign in (1, -1, 1, -1):
        log.samples(150, sign)
    assert [one.code for one in log.of(Alert)] == ["recommended"]
    assert worse(log).action.startswith("boost not tried: it has acted 1 times")
    assert log.control("react", signal=signal.id).startswith("learning rate times 5")
    assert len(log.state.acts["0 boost"]) == 1


@pytest.mark.parametrize("mode", ["recommend", "auto", "shadow"])
def test_a_reaction_that_cannot_act_leaves_it_to_the_next_in_every_mode(mode):
    rows = [{"do": do, "mode": mode} for do in ("boost", "rollback", "background", "alert")]
    log, told = drifted(*rows, model="hoeffding_tree")
    assert (told.reaction, told.mode) == ("background", mode)
    assert "declined" not in worse(log).action
    assert (BACKGROUND in log.state.arms) is (mode == "auto")


def test_a_challengers_drift_acts_on_no_champion_and_is_told():
    """The challenger's own detector signals, and its signal names it."""
    log = Log(
        task_of(
            auto("reset", cooldown=0),
            {"do": "hold", "young": 200},
            {"do": "alert"},
            detectors=[ADWIN | {"arms": "all"}],
        )
    )
    log.samples(300)
    champion, challenger = log.champion, Arm(log.state.task, role="challenger")
    log.state.arms["other"] = challenger
    model, seen = champion.model, len(log.of(Reacted))
    champion.errors = {}
    challenger.updates = 1_000
    for sign in (-1, 1, -1):
        log.samples(150, sign)
    theirs = [one for one in log.state.signals if one.arm == "other" and one.direction == "worse"]
    assert theirs
    assert {one.reaction for one in log.of(Reacted)[seen:]} == {"alert"}, "the challenger is not young"
    assert {one.action for one in theirs} == {"alert"}
    assert champion.model is model


def test_hold_does_not_keep_calm_from_an_oscillation():
    log = Log(
        task_of(
            {"do": "hold", "young": 1},
            auto("calm"),
            detectors=[{"use": "oscillation", "window": 50}],
            model="no_change",
        )
    )
    for number in range(200):
        log.fold({"features": {"x": 1.0}, "label": number % 4 in (0, 3)})
    found = [one for one in log.state.signals if one.detector == "oscillation"]
    assert found
    assert {(one.kind, one.direction) for one in found} == {("oscillation", "worse")}
    assert all("calm declined: the model 'no_change' has no learning rate" in one.action for one in found)


def test_rollback_goes_back_to_the_last_good_version_without_a_guard_that_compares_with_it():
    log = Log(task_of(auto("rollback"), versions=Versions(every=50)))
    log.samples(160)
    back = log.until(Reacted)
    good = log.state.versions.saved[log.champion.version]
    assert back.did.endswith(f"to {good.id}")
    assert log.champion.digest == good.digest == back.after


def test_an_error_that_falls_is_no_alarm():
    log = Log(task_of(auto("reset"), model={"use": "online_linear", "learning_rate": 0.5}))
    for _ in range(64):
        log.fold({"features": {"x": log.rng.gauss(0, 1)}, "label": log.rng.random() < 0.5})
    log.samples(200)
    better = [one for one in log.state.signals if one.direction == "better"]
    assert better
    assert {one.action for one in better} == {"none"}


def test_rehearsal_learns_past_samples_again_by_a_seed_and_counts_no_update():
    plain, first, second = Log(task_of()), *(Log(task_of(rehearsal=Rehearsal(size=9, ratio=0.5))) for _ in range(2))
    for log in (plain, first, second):
        log.samples(80)
    assert first.champion.digest == second.champion.digest != plain.champion.digest
    assert (first.champion.updates, first.state.updates) == (80, 80)
    assert (len(first.state.reservoir.rows), first.state.reservoir.seen) == (9, 80)
    assert (plain.state.reservoir.seen, plain.state.reservoir.rows) == (0, [])


def test_detectors_and_reactions_change_while_the_shard_runs():
    log, _ = drifted(auto("boost", cooldown=0))
    rows = {"kind": "binary", "model": "logistic", "guard": {"against": [], "label_rate": False}}
    log.control("define", task=rows | {"detectors": [ADWIN | {"watch": "feature:x"}], "reactions": [{"do": "alert"}]})
    assert (log.champion.errors, list(log.state.watches.features)) == ({}, ["0 adwin feature:x"])
    acted = len(log.of(Reacted))
    log.samples(200)
    assert len(log.of(Reacted)) == acted
    log.control("define", task=rows | {"detectors": [ADWIN], "reactions": [auto("reset", cooldown=0)]})
    assert list(log.champion.errors) == ["0 adwin"]
    log.samples(100)
    assert log.until(Reacted).reaction == "reset"


WRONG = [
    ({"reactions": [{"do": "bost"}]}, "there is no reaction 'bost'. Did you mean 'boost'?"),
    ({"reactions": [{"do": "boost", "factr": 2}]}, "no parameter 'factr'. Did you mean 'factor'?"),
    ({"reactions": [{"do": "boost", "factor": 0.5}]}, "factor is 0.5"),
    ({"reactions": [{"do": "boost", "over": 0}]}, "over is 0"),
    (
        {"reactions": [{"do": "boost", "mode": "always"}]},
        "reactions[0]: mode is 'always'. Set it to one of shadow, recommend, auto.",
    ),
    ({"reactions": [{"do": "boost", "budget": 0}]}, "reactions[0]: a whole number from 1 is expected"),
    ({"reactions": [{"do": "boost", "cooldown": -1}]}, "reactions[0]: a whole number from 0 is expected"),
    ({"reactions": [{"do": "boost", "on": "eror"}]}, "reactions[0]: there is nothing like 'eror' to react to."),
    ({"reactions": [{"on": "error"}]}, "reactions[0]: 'do' is missing"),
    ({"detectors": [{"use": "adwim"}]}, "there is no detector 'adwim'. Did you mean 'adwin'?"),
    ({"detectors": [{"use": "adwin", "delta": 2}]}, "delta is 2"),
    ({"detectors": [{"use": "adwin", "watch": "eror"}]}, "a detector cannot watch 'eror'."),
    ({"detectors": [{"use": "adwin", "watch": "feature:"}]}, "a detector cannot watch 'feature:'."),
    ({"detectors": [{"use": "adwin", "arms": "some"}]}, "arms is 'some'."),
    ({"detectors": [{"use": "adwin", "watch": []}]}, "detectors[0] watches nothing."),
    ({"detectors": [{"use": "evidence", "watch": "features"}]}, "'evidence' cannot watch features of a binary task"),
    (
        {"kind": "regression", "detectors": [{"use": "evidence", "watch": "score"}]},
        "which is of numbers: it takes errors, shares",
    ),
    (
        {"kind": "regression", "detectors": [{"use": "error_rise", "watch": "label_rate"}]},
        "cannot watch label_rate of a regression",
    ),
    (
        {"kind": "regression", "detectors": [{"use": "vote", "detectors": ["adwin", "evidence"], "watch": "score"}]},
        "cannot watch score",
    ),
    (
        {"features": {"x": {}}, "detectors": [{"use": "adwin", "watch": "feature:y"}]},
        "the task declares no such feature. It declares x.",
    ),
    (
        {"features": {"x": {"type": "string"}}, "detectors": [{"use": "adwin", "watch": "feature:x"}]},
        "which is of strings",
    ),
    ({"features": {"x": {"type": "string"}}, "detectors": [{"use": "ks", "watch": "features"}]}, "which is of strings"),
    (
        {"features": {"x": {"type": "bool"}}, "detectors": [{"use": "chi_square", "watch": "features"}]},
        "which is of numbers",
    ),
    ({"reactions": [{"do": "alert", "on": []}]}, "reactions[0] reacts to nothing."),
    ({"reactions": [{"do": "alert", "on": "guard:outlier"}]}, "there is nothing like 'guard:outlier' to react to."),
    (
        {"reactions": [{"do": "alert", "on": "guard:degraded"}], "guard": {"against": []}},
        "the task has no guard 'degraded'.",
    ),
    (
        {"reactions": [{"do": "alert"}, {"do": "alert", "on": ["error", "ddm"]}]},
        "reactions[1] would never act: the task has no detector 'ddm'.",
    ),
    ({"reactions": [{"do": "alert", "on": "feature:x"}]}, "no detector watches feature:x."),
]


def test_a_parameter_that_is_no_number_is_named_as_it_was_written():
    with pytest.raises(ReactionError, match="factor is nan"):
        reactings(task_of({"do": "boost", "factor": float("nan")}))


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_settings_that_are_wrong_are_refused_where_they_are_read_and_in_the_log(settings, message):
    task = msgspec.convert({"name": "ads", "kind": "binary"} | settings, Task)
    with pytest.raises((DetectorError, ReactionError)) as caught:
        (watchings(task), reactings(task))
    assert message in str(caught.value)
    log = Log(task_of())
    refused = log.control("define", task={"kind": "binary"} | settings)
    assert refused.startswith(("refused: it is no definition of a task", "refused: the kind cannot change"))
    assert isinstance(log.effects[-2], Quarantined)
    log.samples(1)
