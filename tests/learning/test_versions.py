"""Versions of the champion, and the control records that go back to them, promote, install and change the definition."""

import json
import random

import pytest
import written_log

from headrace.learning.effects import Quarantined
from headrace.learning.encoding import encode
from headrace.learning.errors import DefinitionError, LogError, ModelError, VersionError
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Outcome, Promises
from headrace.learning.records.message import Message
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import Task, Unanswered, Update, Versions
from headrace.learning.versions.index import VersionIndex

TASK = Task(name="ads", kind="binary", versions=Versions(every=50, keep=3))


class Log(written_log.Log):
    """A log of this task, unless another is given."""

    def __init__(self, task=TASK, outcomes=(), modules=()):
        super().__init__(task, outcomes, modules)


def test_a_version_is_saved_after_so_many_labels_and_names_the_one_before():
    log = Log()
    log.samples(120)
    first, second = log.saved()
    assert (first.id, first.updates, first.reason, first.parent) == ("v50-0-50", 50, "updates", None)
    assert (second.id, second.parent) == ("v100-0-100", "v50-0-50")
    assert log.champion.version == "v100-0-100"
    assert second.metrics["accuracy"] > 0.5
    assert 0 < second.error < 0.5


def test_a_checkpoint_of_a_model_that_is_a_version_already_saves_nothing():
    log = Log()
    log.samples(50)
    assert log.control("checkpoint", id="c1") == "saved v50-0-50"
    assert len(log.saved()) == 1


def test_after_a_rollback_the_model_is_the_versions_and_learns_on_from_it():
    log = Log()
    log.samples(50)
    at_version = log.champion.digest
    log.samples(20, sign=-1)
    assert log.champion.digest != at_version
    assert log.control("rollback") == "rolled back from v70-0-71 to v50-0-50"
    assert log.champion.digest == at_version
    assert (log.champion.version, log.champion.updates) == ("v50-0-50", 50)
    log.samples(1)
    assert log.champion.updates == 51


def test_a_rollback_leaves_the_metrics_and_starts_the_detector_anew():
    log = Log()
    log.samples(60)
    scored, errors = log.champion.scoreboard.scored, log.champion.errors
    log.control("rollback")
    assert log.champion.scoreboard.scored == scored
    assert log.champion.errors is not errors


def test_previous_goes_one_further_back_when_the_champion_is_a_version_as_it_stands():
    log = Log()
    log.samples(100)
    assert log.control("rollback").endswith("to v50-0-50")


def test_best_and_last_good_are_found_by_the_recent_error():
    log = Log(Task(name="ads", kind="binary", versions=Versions(every=400, keep=5)))
    log.samples(800)
    log.samples(1200, sign=-1)
    errors = {version.id: version.error for version in log.saved()}
    best = min(errors, key=errors.get)
    assert log.control("rollback", to="best").endswith(f"to {best}")
    assert log.state.versions.last_good().id == best
    assert "already" in log.control("rollback", to="last_good")


def test_a_model_that_was_gone_back_from_is_found_by_its_id_alone():
    """It has learned wrong labels, and errs little on them."""
    log = Log(Task(name="ads", kind="binary", versions=Versions(every=400, keep=5)))
    log.samples(800)
    good = log.saved()[0].id
    log.samples(350, sign=-1)
    assert log.control("rollback", to=good).endswith(f"to {good}")
    lost = log.saved()[-1]
    log.state.versions.saved[lost.id] = lost._replace(error=0.0)
    assert lost.reason == "rollback"
    assert lost.id not in {log.state.versions.best().id, log.state.versions.last_good().id}
    assert log.control("rollback", to=lost.id).endswith(f"to {lost.id}")


def test_a_version_that_is_not_there_is_refused_with_those_that_are():
    log = Log()
    log.samples(50)
    before = digest(log.champion.model)
    assert "v50-0-50" in log.control("rollback", to="v1-0-1")
    assert isinstance(log.effects[-2], Quarantined)
    assert digest(log.champion.model) == before


def test_a_version_whose_bytes_are_lost_stops_the_fold_since_other_folds_have_them():
    log = Log()
    log.samples(60)
    log.supplies.artefacts.saved.clear()
    with pytest.raises(VersionError, match="v50-0-50"):
        log.control("rollback")


def test_a_version_with_other_bytes_is_not_used():
    log = Log()
    log.samples(60)
    log.supplies.artefacts.saved[log.saved()[0].digest] = encode({"anything": "else"})
    with pytest.raises(VersionError):
        log.control("rollback")


def test_the_oldest_versions_are_dropped_but_not_the_pinned_the_current_and_the_last_good():
    log = Log()
    log.samples(50)
    log.control("pin", version="v50-0-50")
    log.samples(350)
    kept = list(log.state.versions.saved)
    assert kept[0] == "v50-0-50"
    assert len(kept) <= 1 + TASK.versions.keep + 1
    assert log.champion.version in kept
    assert log.state.versions.last_good().id in kept


def test_a_control_record_of_an_id_that_was_carried_out_does_nothing():
    log = Log()
    log.samples(70)
    log.control("rollback", id="c1")
    log.samples(5)
    before = log.champion.digest
    log.fold({"control": "rollback", "id": "c1"})
    assert log.champion.digest == before
    assert log.state.skipped == 1


def test_a_control_record_with_an_unknown_key_is_refused():
    log = Log()
    log.fold({"control": "rollback", "too": "v1"})
    assert "too" in log.effects[-1].reason


def test_a_changed_model_learns_beside_the_champion_until_it_is_promoted():
    log = Log()
    log.samples(60)
    assert log.control("define", task={"kind": "binary", "model": "alma"}) == "changed model, versions"
    log.samples(20)
    assert {name: arm.model_name for name, arm in log.state.arms.items() if arm.role not in ("frozen", "baseline")} == {
        "champion": "logistic",
        "next": "alma",
    }
    assert log.state.arms["next"].updates == 20
    challenger = log.state.arms["next"].digest
    assert log.control("promote") == "promoted next as v20-0-82; before it was v80-0-82"
    assert log.champion.digest == challenger
    assert log.champion.role == "champion"
    assert set(log.state.arms) == {"champion", "no_change", "majority", "last_good"}


def test_a_cold_change_replaces_the_champion_which_can_be_gone_back_to():
    log = Log()
    log.samples(60)
    before = log.champion.digest
    log.control("define", task={"kind": "binary", "model": "alma"}, cold=True)
    assert (log.champion.model_name, log.champion.updates) == ("alma", 0)
    log.control("rollback")
    assert (log.champion.model_name, log.champion.digest) == ("logistic", before)


def test_the_kind_cannot_change():
    log = Log()
    assert "make a new task" in log.control("define", task={"kind": "regression"})
    assert log.state.task.kind == "binary"


def test_a_first_definition_changes_nothing_where_there_is_one():
    log = Log()
    log.control("define", task={"kind": "binary", "model": "alma"})
    assert log.control("define", task={"kind": "binary", "model": "pa"}, first=True).startswith("nothing")
    assert log.state.task.model == "alma"


def test_a_snapshot_of_a_changed_task_is_taken_up_by_a_worker_with_the_old_settings():
    log = Log()
    log.samples(10)
    log.control("define", task={"kind": "binary", "model": "alma", "feature_limit": 1})
    again = Learner(TASK, 0, unseal(seal(log.state, TASK, 0, writer="here"), TASK, 0))
    assert digest(again.state) == digest(log.state)
    assert again.task.feature_limit == 1


def test_what_waits_for_its_time_or_to_be_learned_is_done_when_the_task_waits_no_longer():
    log = Log(Task(name="ads", kind="binary", order="event_time", lateness="1h", update=Update(batch=100)))
    for second in range(5):
        log.fold({"features": {"x": 1.0}, "label": True, "time": float(second)}, clock=second * 1000)
    assert log.state.updates == 0
    log.control("define", task={"kind": "binary"})
    assert log.state.updates == 5
    assert not log.state.order.held
    assert not log.state.batch.rows


def test_a_question_that_has_expired_stays_so_when_the_wait_becomes_longer():
    log = Log(Task(name="ads", kind="binary", wait="10s", unanswered="drop"))
    log.fold({"id": "a", "features": {"x": 1.0}}, clock=0)
    log.fold({"control": "tick"}, clock=11_000)
    assert log.state.join.expired == 1
    log.fold({"control": "define", "task": {"kind": "binary", "wait": "1h"}}, clock=11_000)
    log.fold({"id": "a", "label": True}, clock=12_000)
    assert (log.state.updates, log.state.join.waiting, log.state.join.early) == (0, 0, 1)


def test_a_shorter_wait_applies_to_what_waits():
    log = Log(Task(name="ads", kind="binary", wait="1h", unanswered=Unanswered(assume=False)))
    log.fold({"id": "a", "features": {"x": 1.0}}, clock=0)
    log.fold({"control": "define", "task": {"kind": "binary", "wait": "10s"}}, clock=11_000)
    assert log.state.join.expired == 1


def test_a_model_of_a_module_that_the_settings_do_not_name_stops_the_fold():
    log = Log()
    with pytest.raises(ModelError, match=r"worker\.modules"):
        log.control("define", task={"kind": "binary", "model": "os:system"})


def test_an_install_takes_the_model_that_its_job_made():
    made = Log()
    made.samples(30)
    given_up = Outcome(of="j2", artefact=None, why="it took too long")
    log = Log(outcomes=[Outcome(of="j1", artefact=made.champion.digest, updates=30), given_up])
    for job in ("j1", "j2"):
        log.give(job, made.champion)
    log.samples(20)
    for job in ("j1", "j2"):
        assert log.control("job", job=job, recipe={}) == f"asked for retrain {job}"
    assert log.control("install", id="j1", recipe={}) == "installed v30-0-23 in place of v20-0-23"
    assert (log.champion.digest, log.champion.updates) == (made.champion.digest, 30)
    assert log.state.versions.saved["v30-0-23"].parent == "v20-0-23"
    assert "it took too long" in log.control("install", id="j2", recipe={})


def test_an_install_without_an_outcome_cannot_be_folded_yet():
    log = Log()
    log.control("job", job="j9", recipe={})
    with pytest.raises(LogError, match="j9"):
        log.control("install", id="j9", recipe={})


def test_the_end_of_a_job_may_be_a_cancel_further_on():
    log = Log()
    log.samples(10)
    log.control("job", job="j", recipe={})
    log.supplies.promises.note(Message(10**6, b'{"control": "cancel", "job": "j", "why": "too slow"}'))
    assert log.control("install", id="j", recipe={}) == "refused: the job was given up: too slow."
    assert log.state.jobs == {}
    assert log.control("cancel", job="j", why="too slow") == "nothing: j has ended before"


def test_a_record_under_the_name_of_a_job_does_not_take_its_place():
    log = Log()
    assert log.control("job", id="j", job="j", recipe={}).startswith("refused")
    log = Log()
    assert log.control("job", id="x", job="j", recipe={}) == "asked for retrain j"
    log.control("checkpoint", id="j")
    assert "is a job's" in log.effects[-1].reason
    assert "j" not in log.state.controls
    log.fold({"control": "install", "id": "j", "artefact": "0" * 64})
    assert "is a job's" in log.effects[-1].reason
    assert list(log.state.jobs) == ["j"]


def test_an_install_by_recipe_that_does_not_stand_alone_is_refused_and_ends_the_job():
    log = Log(outcomes=[Outcome(of="j", artefact="0" * 64)])
    log.control("job", job="j", recipe={})
    log.fold({"control": "install", "id": "j", "recipe": {}}, {"features": {"x": 1.0}, "label": True})
    assert "stands alone" in log.state.controls["j"]
    assert log.state.jobs == {}
    message = Message(7, b'{"control": "install", "id": "j", "recipe": {}}\n{"control": "tick"}')
    assert log.supplies.promises.made_in(message, {"j"}) is None


@pytest.mark.parametrize("command", ["checkpoint", "install", "resume"])
def test_a_control_record_whose_key_is_escaped_is_refused_since_looking_ahead_would_miss_it(command):
    log = Log()
    value = json.dumps({"control": command}).replace("control", "c\\u006fntrol").encode()
    for effects in log.learner.fold(Message(log.state.position, value)):
        log.effects += effects
    assert "written with escapes" in log.effects[-1].reason
    assert not log.state.versions.saved


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        ({"why": "unlearn"}, "what to leave out"),
        ({"why": "unlearn", "start": 5, "without": {"ids": ["a"]}}, "the whole log once"),
        ({"why": "migrate", "passes": 2}, "the whole log once"),
        ({"why": "migrate", "without": {"ids": ["a"]}}, "as it is"),
        ({"without": {"ids": ["a"]}}, "made by unlearn"),
        ({"start": 10**6}, "did not have"),
        ({"passes": 2, "repeat_to": 10**6}, "did not have"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused_when_the_job_is_asked_for(recipe, why):
    log = Log()
    assert why in log.control("job", job="j", recipe=recipe)
    assert log.state.jobs == {}


def test_every_attempt_at_a_job_of_several_passes_has_the_same_recipe():
    log = Log()
    log.samples(7)
    log.control("job", job="j", recipe={"passes": 3})
    assert json.loads(log.state.jobs["j"])["recipe"]["repeat_to"] == 8


def unlearned(log, name, *ids, forget=()):
    made = Log()
    made.samples(5)
    log.give(name, made.champion)
    log.control("job", job=name, recipe={"why": "unlearn", "without": {"ids": list(ids)}})
    recipe = json.loads(log.state.jobs[name])["recipe"]
    outcome = {"of": name, "artefact": made.champion.digest, "updates": 5, "forget": list(forget)}
    log.supplies.promises.note(Message(10**6, json.dumps({"control": "outcome"} | outcome).encode()))
    return log.control("install", id=name, recipe=recipe), recipe


def test_what_was_unlearned_once_is_left_out_by_every_later_job():
    log = Log()
    assert unlearned(log, "a", "1", "2")[0].startswith("installed")
    _, recipe = unlearned(log, "b", "3", "2")
    assert recipe["without"]["ids"] == ["1", "2", "3"]
    log.control("job", job="c", recipe={})
    assert json.loads(log.state.jobs["c"])["recipe"]["without"]["ids"] == ["1", "2", "3"]


@pytest.mark.parametrize("ids", [[str(number) for number in range(9_999)], ["x" * 100_000] * 8])
def test_no_more_is_left_out_than_a_message_can_hold(ids):
    log = Log()
    unlearned(log, "a", "first", "second")
    did = log.control(
        "job", job="b", recipe={"why": "unlearn", "without": {"ids": [f"{at}{one}" for at, one in enumerate(ids)]}}
    )
    assert "may be" in did
    assert log.state.jobs == {}


def test_a_job_that_is_asked_for_while_another_is_under_way_leaves_out_what_that_one_does():
    log = Log()
    log.control("job", job="a", recipe={"why": "unlearn", "without": {"ids": ["1"]}})
    log.control("job", job="b", recipe={"why": "unlearn", "without": {"ids": ["2"]}})
    log.control("job", job="c", recipe={})
    assert [json.loads(log.state.jobs[name])["recipe"]["without"]["ids"] for name in "abc"] == [
        ["1"],
        ["1", "2"],
        ["1", "2"],
    ]


@pytest.mark.parametrize("other", [{"recipe": {"why": "unlearn", "without": {"ids": ["2"]}}}, {"model": "os:system"}])
def test_an_install_decides_nothing_that_its_job_has_not_asked_for(other):
    log = Log()
    recipe = {"why": "unlearn", "without": {"ids": ["1"]}}
    log.control("job", job="j", recipe=recipe)
    log.supplies.promises.note(Message(10**6, b'{"control": "outcome", "of": "j", "artefact": "%b"}' % (b"0" * 64)))
    assert "not that of its job" in log.control("install", id="j", **{"recipe": recipe} | other)


def test_a_job_makes_what_was_the_champion_when_it_was_asked_for():
    log = Log()
    log.control("define", task={"kind": "binary", "model": "alma"})
    log.control("job", job="j", recipe={})
    log.control("promote")
    assert json.loads(log.state.jobs["j"])["model"] == "logistic"


@pytest.mark.parametrize(
    "odd",
    [
        {"wait": 1e308},
        {"lateness": 1e308, "order": "event_time"},
        {"update": {"every": 1e-9}},
        {"update": {"every": 1e300}},
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_definition_that_no_fold_can_go_by_is_refused(odd, first):
    log = Log()
    if first:
        log.learner = Learner(TASK, 0, supplies=log.supplies)
    log.fold({"control": "define", "first": first, "task": {"kind": "binary"} | odd})
    assert "no definition of a task" in log.effects[-2].reason
    log.samples(1)
    assert log.state.updates == 1


def test_what_stands_in_a_message_of_too_many_rows_counts_for_nobody():
    rows = b'{"control": "cancel", "job": "j"}\n' + b'{"control": "resume"}\n' * 1_000
    promises = Promises(TASK)
    promises.note(Message(5, rows))
    assert not promises.is_resumed(5)
    assert list(promises.controls(Message(5, rows))) == []


def test_a_resume_that_the_fold_refuses_resumes_nothing():
    promises = Promises(TASK)
    promises.note(Message(5, b'{"control": "resume", "reason": "ok"}'))
    assert not promises.is_resumed(5)


def test_versions_that_are_saved_in_one_message_have_names_of_their_own():
    log, made = Log(), Log()
    made.samples(5)
    for name in "ab":
        log.give(name, made.champion)
    install = {"control": "install", "artefact": made.champion.digest, "updates": 5}
    sample = {"features": {"x": 1.0}, "label": True}
    log.fold(
        {"control": "checkpoint"},
        sample,
        install | {"id": "a"},
        sample,
        install | {"id": "b"},
        {"control": "checkpoint"},
    )
    saved = log.state.versions.saved
    assert saved[log.champion.version].digest == log.champion.digest
    assert len({version.id for version in log.saved()}) == len(log.saved()) > 3


def test_an_early_label_that_was_unlearned_is_not_learned_when_its_question_comes():
    log = Log()
    log.fold({"id": "q", "label": True})
    unlearned(log, "a", "q", forget=["q"])
    log.fold({"id": "q", "features": {"x": 1.0}})
    assert (log.effects[-1].code, log.champion.updates) == ("forgotten", 5)


def test_a_model_that_was_installed_has_the_figures_of_no_other():
    """Else `best` would choose a bad model that came after a good one."""
    log = Log()
    log.samples(50)
    made = Log()
    made.samples(60, sign=-1)
    log.give("i", made.champion)
    log.control("install", id="i", artefact=made.champion.digest, updates=60, pin=True)
    installed = log.state.versions.saved[log.champion.version]
    assert installed.error is None
    assert set(installed.metrics.values()) == {None}
    assert log.control("rollback", to="best").endswith("to v50-0-50")


def test_a_challenger_stays_when_another_model_is_installed_and_goes_when_the_change_is_taken_back():
    log = Log()
    log.samples(40)
    log.control("define", task={"kind": "binary", "model": "alma"})
    made = Log()
    made.samples(30)
    log.give("i", made.champion)
    log.control("install", id="i", artefact=made.champion.digest, updates=30)
    assert set(log.state.arms) == {"champion", "no_change", "majority", "next", "last_good"}
    log.control("define", task={"kind": "binary"})
    assert set(log.state.arms) == {"champion", "no_change", "majority", "last_good"}


def test_a_first_definition_other_than_that_of_the_fold_cannot_be_gone_on_from():
    learner = Learner(TASK, 0)
    for number, row in enumerate([{"features": {"x": 1.0}, "label": True}, {"control": "tick"}]):
        list(learner.fold(Message(number, json.dumps(row).encode())))
    for wrong in ({"kind": "regression"}, {"kind": "binary", "model": "nope"}, {}):
        row = json.dumps({"control": "define", "first": True, "task": wrong}).encode()
        list(learner.fold(Message(learner.state.position, row)))
        assert learner.state.defined_at is None, "refused by every fold"
    other = {"control": "define", "first": True, "task": {"kind": "binary", "model": "alma"}}
    with pytest.raises(DefinitionError, match="another definition"):
        list(learner.fold(Message(learner.state.position, json.dumps(other).encode())))


def test_updates_that_no_state_can_count_are_refused():
    log = Log()
    log.fold({"control": "install", "artefact": "0" * 64, "updates": 2**53 + 1})
    assert "updates" in log.effects[-1].reason


def lost(retain, monkeypatch):
    """How often the champion's version, or the last good one, was none that is kept, with another rule of what is kept."""
    monkeypatch.setattr(VersionIndex, "retain", retain)
    log, found, dice = Log(), 0, random.Random(4)
    for _ in range(60):
        good = log.state.versions.last_good()
        log.samples(dice.randint(1, 40), sign=dice.choice([1, 1, -1]))
        if dice.random() < 0.4 and log.state.versions.saved:
            log.control("rollback", to=dice.choice(list(log.state.versions.saved)))
        saved = log.state.versions.saved
        found += log.champion.version is not None and log.champion.version not in saved
        found += good is not None and log.state.versions.last_good() is None
    return found


def test_neither_the_current_nor_the_last_good_version_is_ever_dropped_and_a_rule_that_drops_them_is_noticed(
    monkeypatch,
):
    whole = VersionIndex.retain
    assert lost(whole, monkeypatch) == 0
    assert lost(lambda self, keep, held: whole(self, keep, set()), monkeypatch) > 0


def test_an_install_of_no_job_is_refused():
    log = Log()
    assert log.control("install", id="j8", recipe={}) == "refused: there is no job 'j8' under way."
    log.control("job", job="j9", recipe={})
    assert log.control("cancel", job="j9", why="too slow") == "gave up j9: too slow"
    assert "there is no job" in log.control("install", id="j10", recipe={})
    skipped = log.state.skipped
    log.fold({"control": "install", "id": "j9", "recipe": {}})
    assert log.state.skipped == skipped + 1


def test_an_artefact_that_is_not_there_is_refused():
    log, made = Log(), Log()
    assert "needs an id" in log.control("install", artefact="0" * 64)
    assert "is not in <task>.versions" in log.control("install", id="i", artefact="0" * 64)
    log.give("another", made.champion)
    assert "is not in <task>.versions" in log.control("install", id="k", artefact=made.champion.digest)


def test_a_pause_stands_in_the_state_until_it_is_resumed():
    log = Log()
    assert log.control("pause", id="p1") == "paused"
    assert log.state.paused == "p1"
    assert log.control("resume") == "resumed"
    assert log.state.paused is None


def test_the_label_of_a_question_that_was_unlearned_is_refused():
    made = Log()
    made.samples(5)
    recipe = {"why": "unlearn", "without": {"ids": ["q"]}}
    log = Log(outcomes=[Outcome(of="j", artefact=made.champion.digest, updates=5, forget=("q",))])
    log.control("job", job="j", recipe=recipe)
    log.give("j", made.champion)
    log.fold({"id": "q", "features": {"x": 1.0}}, {"id": "r", "features": {"x": 1.0}})
    log.control("install", id="j", recipe=recipe)
    log.fold({"id": "q", "label": True})
    assert (log.effects[-1].code, log.champion.updates) == ("forgotten", 5)
    log.fold({"id": "r", "label": True})
    assert log.champion.updates == 6


def test_records_that_wait_for_their_time_are_let_go_before_the_install_and_not_learned_by_the_new_model():
    made = Log()
    made.samples(5)
    task = Task(name="ads", kind="binary", order="event_time", lateness="1h")
    log = Log(task, outcomes=[Outcome(of="j", artefact=made.champion.digest, updates=5)])
    recipe = {"why": "unlearn", "without": {"ids": ["a"]}}
    log.control("job", job="j", recipe=recipe)
    log.give("j", made.champion)
    for name in "ab":
        log.fold({"id": name, "features": {"x": 1.0}, "label": True, "time": 1.0}, clock=1000)
    log.control("install", id="j", recipe=recipe)
    assert (log.state.updates, log.state.order.held) == (2, [])
    log.fold({"control": "tick"}, clock=3_700_000)
    assert log.champion.updates == 5


def test_a_definition_needs_a_first_one_before_it():
    """Otherwise a fold from the beginning would not know by what the records before it were folded."""
    log = Log()
    learner = Learner(TASK, 0)
    row = {"control": "define", "task": {"kind": "binary", "model": "alma"}}
    effects = [one for some in learner.fold(Message(0, json.dumps(row).encode())) for one in some]
    assert "no definition yet" in effects[0].reason
    assert learner.state.defined_at is None
    assert log.state.defined_at == 0
