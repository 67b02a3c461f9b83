"""What each guard finds, and what comes of it, through a learner that folds a log."""

import random
from math import fsum

import pytest
from written_log import Log

from headrace import Learner, digest, seal, unseal
from headrace.learning.effects import Alert, Drift, Quarantined, Reacted
from headrace.learning.guards import Compared
from headrace.learning.guards.label_rate import LabelRateGuard
from headrace.learning.guards.outlier import OutlierGuard
from headrace.learning.task import Guard, LabelRate, Outlier, Rehearsal, Task, Versions

RARELY = Versions(every=10**6)

EAGER = Guard(against=["last_good"], alpha=0.9, every=1, margin=0.0, mode="auto", label_rate=False)


def task_of(guard=EAGER, **others):
    usual = {"kind": "binary", "model": "naive_bayes", "detectors": [], "reactions": [], "versions": Versions(every=50)}
    return Task(**{"name": "ads", "guard": guard} | usual | others)


def poison(log, n=150):
    """Have the champion learn labels that are turned round."""
    log.samples(n, sign=-1)


def changed(guard, **parts):
    """The guard as a definition has it, with other parts."""
    rows = {"against": guard.against, "alpha": guard.alpha, "every": guard.every, "margin": guard.margin}
    return rows | {"mode": guard.mode, "label_rate": False} | parts


def test_a_champion_that_became_worse_than_its_last_good_version_is_rolled_back():
    log = Log(task_of())
    log.samples(100)
    poison(log)
    back = log.until(Reacted, sign=1)
    lost, good = log.saved()[-1], log.state.versions.saved[log.champion.version]
    assert back.did == f"rolled back from {lost.id} to {good.id}"
    assert (lost.reason, lost.digest) == ("rollback", back.before)
    assert back.after == log.champion.digest == good.digest
    signal = log.state.signals[-1]
    assert (signal.kind, signal.detector, signal.arm, signal.direction) == ("guard", "degraded", "champion", "worse")
    assert signal.after > signal.before
    assert log.state.guards["degraded"].comparison.count == 0
    seen = len(log.of(Reacted))
    log.samples(200)
    assert len(log.of(Reacted)) == seen, "the one that came back is good"


@pytest.mark.parametrize("mode", ["shadow", "recommend"])
def test_in_other_modes_the_champion_stays(mode):
    guard = Guard(against=["last_good"], alpha=0.9, every=1, margin=0.0, mode=mode, label_rate=False)
    log = Log(task_of(guard))
    log.samples(100)
    poison(log)
    told = log.until(Reacted, sign=1)
    assert (told.mode, told.acted, told.reaction) == (mode, False, "rollback")
    assert log.champion.updates > 200
    assert [one.code for one in log.of(Alert)] == ["recommended"] * (mode == "recommend")
    if mode == "recommend":
        good = log.state.arms["last_good"]
        assert log.control("react", signal=told.signal).endswith(f"to {good.version}")
        assert log.champion.digest == good.digest


def test_the_labels_of_questions_that_were_asked_before_the_rollback_do_not_count():
    log = Log(task_of())
    log.samples(100)
    log.control("checkpoint")
    for number in range(40):
        log.fold({"id": f"q{number}", "features": {"x": 1.0, "bias": 1.0}}, clock=10)
    log.samples(3)
    log.control("rollback", to=log.saved()[0].id)
    guard, watched = log.state.guards["degraded"].comparison, log.champion.scoreboard.scored
    assert log.champion.since == 143, "the 143rd record was the last before it"
    for number in range(40):
        log.fold({"id": f"q{number}", "label": False}, clock=20)
    assert guard.count == guard.detector.count == 0
    assert log.champion.scoreboard.scored == watched + 40, "the metrics count what was answered"
    log.fold({"id": "new", "features": {"x": 1.0, "bias": 1.0}}, clock=21)
    log.fold({"id": "new", "label": False}, clock=22)
    assert guard.detector.count == 1


def test_the_last_good_version_predicts_for_one_record_of_every_and_is_compared_on_each_of_these():
    guard = Guard(against=["last_good"], every=8, label_rate=False)
    log = Log(task_of(guard, versions=RARELY))
    log.samples(50)
    log.control("checkpoint")
    log.samples(80)
    assert log.state.guards["degraded"].comparison.detector.count == 10


@pytest.mark.parametrize("shift", [0, 1])
def test_questions_and_labels_that_alternate_are_compared_like_samples(shift):
    """Were it a question of the record's number alone, no label of an even number would meet a question of an even number."""
    log = Log(task_of(Guard(every=8, label_rate=LabelRate(short=20)), versions=RARELY))
    log.samples(60 + shift)
    log.control("checkpoint")
    for number in range(160):
        x = log.rng.gauss(0, 1)
        log.fold({"id": f"q{number}", "features": {"x": x, "bias": 1.0}}, clock=number)
        log.fold({"id": f"q{number}", "label": x > 0}, clock=number)
    assert log.state.guards["degraded"].comparison.detector.count == 20


def test_labels_are_seen_even_if_the_questions_for_which_the_last_good_version_predicts_are_never_answered():
    log = Log(task_of(Guard(every=2, label_rate=LabelRate(short=20)), versions=RARELY))
    log.samples(51)
    log.control("checkpoint")
    for number in range(200):
        log.fold({"id": f"q{number}", "features": {"x": 1.0, "bias": 1.0}})
        if log.state.asked % 2:
            log.fold({"id": f"q{number}", "label": True})
        assert len(log.state.unseen) < 8
    assert log.state.guards["label_rate"].before > 100


def test_the_last_good_version_stays_when_only_the_mode_of_the_guard_changes():
    """It could not be compared with until another version is good."""
    log = Log(task_of(Guard(against=["last_good"], alpha=0.9, every=1, margin=0.0, label_rate=False)))
    log.samples(100)
    good = log.state.arms["last_good"].version
    row = {"kind": "binary", "model": "naive_bayes", "detectors": [], "reactions": [], "versions": {"every": 50}}
    log.control("define", task=row | {"guard": changed(EAGER, mode="auto")})
    assert log.state.arms["last_good"].version == good
    poison(log)
    assert log.until(Reacted, sign=1).did.startswith("rolled back")
    log.control("define", task=row | {"guard": changed(EAGER, against=[])})
    assert "last_good" not in log.state.arms
    assert "degraded" not in log.state.guards


def test_a_champion_that_is_worse_than_the_last_label_is_told_of():
    guard = Guard(against=["baselines"], alpha=0.9, every=1, margin=0.0, mode="shadow", label_rate=False)
    log = Log(task_of(guard, model="logistic"))
    log.samples(60)
    for _ in range(300):
        x = log.rng.gauss(0, 1)
        log.fold({"features": {"x": x, "bias": 1.0}, "label": False})
        if log.of(Drift):
            break
    for _ in range(300 * (not log.of(Drift))):
        log.fold({"features": {"x": log.rng.gauss(0, 1), "bias": 1.0}, "label": True})
        if log.of(Drift):
            break
    found = log.of(Drift)[0]
    assert (found.kind, found.detector, found.direction) == ("guard", "below_baseline", "worse")
    assert log.of(Reacted)[0].did == "would be tried: rollback"


def test_the_breaker_pauses_a_shard_whose_labels_come_in_other_shares_and_tells_it_once():
    guard = Guard(against=[], every=1, mode="auto", label_rate=LabelRate(short=20, bound=0.4))
    log = Log(task_of(guard))
    log.samples(300)
    assert log.state.paused is None
    for _ in range(40):
        log.fold({"features": {"x": 1.0, "bias": 1.0}, "label": True})
    (paused,) = log.of(Reacted)
    assert (paused.reaction, paused.did) == ("pause", "paused: records wait in the log")
    assert log.state.paused.startswith("breaker/")
    assert len(log.of(Drift)) == 1
    assert (log.of(Drift)[0].watched, log.of(Drift)[0].direction, log.of(Drift)[0].arm) == (
        "label_rate",
        "changed",
        None,
    )
    assert log.control("resume") == "resumed"
    log.samples(40)
    assert log.state.paused is None
    assert log.champion.updates == 380, "all records were learned"


def test_a_sample_and_a_question_with_a_number_far_out_are_quarantined_and_not_learned():
    log = Log(task_of(Guard(against=[], label_rate=False, outlier=Outlier(after=100))))
    log.samples(150)
    before = log.champion.digest
    log.fold({"features": {"x": 1e6, "bias": 1.0}, "label": True})
    assert (log.of(Quarantined)[-1].code, log.champion.digest) == ("outlier", before)
    log.fold({"id": "q", "features": {"x": 1e6, "bias": 1.0}})
    log.fold({"id": "q", "label": True})
    assert (log.of(Quarantined)[-1].code, log.champion.digest) == ("outlier", before)
    assert b'"q"' in log.of(Quarantined)[-1].value
    log.samples(1)
    assert log.champion.updates == 151


@pytest.mark.parametrize("share", [0.5, 0.2, 0.05, 0.01, 0.001])
def test_the_rare_value_of_a_flag_and_a_small_count_are_no_outliers(share):
    dice, guard = random.Random(5), OutlierGuard(Outlier(after=100))
    for number in range(20_000):
        flag = float(dice.random() < share)
        row = {"flag": flag, "count": dice.randrange(50) * flag, "normal": dice.gauss(0, 1)}
        assert guard.find_fault(row) is None, (number, row)
    assert "'flag' is 5000" in guard.find_fault({"flag": 5000})
    assert "'count' is 5000" in guard.find_fault({"count": 5000})
    assert "'normal' is 5000" in guard.find_fault({"normal": 5000})


def test_a_level_that_has_changed_for_good_is_taken_after_a_while():
    dice, guard = random.Random(6), OutlierGuard(Outlier(after=100))
    for level in (0.0, 1_000.0):
        faults = [guard.find_fault({"x": level + dice.gauss(0, 1)}) for _ in range(4_000)]
    assert faults[0] is not None
    assert faults[-1] is None


def test_one_huge_label_does_not_stay_in_the_sum_of_the_window():
    dice, guard = random.Random(7), LabelRateGuard("regression", LabelRate(short=100, bound=5.0))
    values = [dice.gauss(10, 1) for _ in range(5_000)]
    values[2_000] = 1e19
    for value in values:
        guard.compare(Compared({}, value))
    assert guard.compare(Compared({}, 10.0)) is None
    assert fsum(guard.parts) == fsum(guard.window)


def test_a_version_that_is_dropped_takes_no_arm_along():
    """The best version goes by its age; the last good one is then another, and goes on answering beside the champion."""
    log = Log(task_of(Guard(against=["last_good"], label_rate=False), versions=Versions(every=50, keep=2)))
    for _ in range(30):
        log.samples(50, sign=log.rng.choice((1, 1, -1)))
        good = log.state.versions.last_good()
        assert (log.state.arms["last_good"].version, log.state.arms["last_good"].digest) == (good.id, good.digest)


def test_settings_made_in_python_with_whole_numbers_give_a_state_that_can_be_read():
    guard = Guard(margin=0, label_rate=LabelRate(bound=1), outlier=Outlier(bound=10))
    task = Task(name="ads", kind="regression", guard=guard, rehearsal=Rehearsal(ratio=1))
    assert type(task.guard.margin) is type(task.guard.outlier.bound) is type(task.rehearsal.ratio) is float
    learner = Learner(task, 0)
    assert digest(unseal(seal(learner.state, task, 0, writer="here"), task, 0)) == digest(learner.state)


WRONG = [
    {"label_rate": {"bound": 1}},
    {"alpha": 0},
    {"alpha": 1},
    {"margin": -0.1},
    {"every": 0},
    {"mode": "always"},
    {"against": ["best"]},
    {"loss": "absolute"},
    {"loss": "hinge"},
    {"label_rate": {"short": 19}},
    {"label_rate": {"bound": 0}},
    {"label_rate": {"wait": "soon"}},
    {"outlier": {"after": 99}},
    {"outlier": {"aftr": 100}},
]


@pytest.mark.parametrize("guard", WRONG)
def test_wrong_settings_of_a_guard_are_refused_in_the_log(guard):
    log = Log(task_of())
    refused = log.control("define", task={"kind": "binary", "guard": guard})
    assert refused.startswith("refused: it is no definition of a task")
    assert next(iter(guard)) in refused
    log.samples(1)
    assert log.state.updates == 1
