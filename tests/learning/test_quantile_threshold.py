"""A threshold that is a quantile of the scores: a share of the records is flagged, without a label."""

import json
import random
import subprocess
import sys

import msgspec
import pytest

from headrace.learning.arms import Arm
from headrace.learning.arms.quantile_cutoff import EVERY, WINDOW, QuantileCutoff
from headrace.learning.effects import Predicted
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.task import Task, Threshold, define, under
from headrace.testing import MemoryLog

MODEL = {"use": "quantile", "after": 20}


def task(quantile=0.95, **more):
    return Task(
        **{
            "name": "ads",
            "kind": "anomaly",
            "model": MODEL,
            "predictions": True,
            "threshold": Threshold(quantile=quantile),
        }
        | more
    )


def records(count, middle=10.0, seed=0):
    dice = random.Random(seed)
    return [{"features": {"price": dice.gauss(middle, 1), "size": dice.gauss(0, 1)}} for _ in range(count)]


def fold(learner, rows):
    """Fold each record as a message; return the champion's decisions."""
    decisions = []
    for row in rows:
        for effects in learner.fold(Message(learner.state.position, json.dumps(row).encode())):
            decisions += [one.prediction for one in effects if isinstance(one, Predicted)]
    return [one.value for one in decisions if one is not None]


def seen(quantile, scores):
    """Show scores to a cutoff; return it, and which of them it flagged when they came."""
    cutoff, flagged = QuantileCutoff(quantile), []
    for score in scores:
        flagged.append(cutoff.decide(score))
        cutoff.see(score)
    return cutoff, flagged


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99, 0.998])
def test_of_steady_scores_the_share_that_is_flagged_is_what_the_quantile_leaves(quantile):
    dice = random.Random(4)
    _, flagged = seen(quantile, (dice.betavariate(8, 2) for _ in range(60_000)))
    assert sum(flagged) / len(flagged) == pytest.approx(1 - quantile, rel=0.12)


def test_the_scale_of_scores_does_not_matter():
    dice = random.Random(4)
    scores = [dice.gauss(0, 1) for _ in range(5_000)]
    assert seen(0.9, scores)[1] == seen(0.9, [4096.0 * score for score in scores])[1]


def test_nothing_is_flagged_before_a_score_can_be_above_the_quantile():
    cutoff, flagged = seen(0.999, [at / 1000 for at in range(EVERY)])
    assert (cutoff.at, sum(flagged), cutoff.decide(1e9)) == (None, 0, False)
    assert Arm(task(), role="champion").describe()["threshold"] is None


def test_equal_scores_at_the_border_are_not_flagged():
    """Of a model that answers 0 to nearly all, nothing is flagged but what is above 0."""
    scores = [0.0] * 99 + [0.7] + [0.0] * 99 + [0.8]
    cutoff, _ = seen(0.9, scores)
    assert not cutoff.decide(0.0)
    assert cutoff.decide(0.7)
    assert cutoff.decide(0.01) is (cutoff.at <= 0.01)
    alike, flagged = seen(0.9, [0.25] * 1_000)
    assert (sum(flagged), alike.decide(0.25), alike.decide(0.2500001)) == (0, False, True)


def test_the_cutoff_is_the_exact_quantile_of_the_last_scores():
    dice = random.Random(2)
    scores = [dice.random() for _ in range(WINDOW + 3 * EVERY)]
    cutoff, _ = seen(0.98, scores)
    last = sorted(scores[-WINDOW:])
    assert sum(score >= cutoff.at for score in last) == round(0.02 * (WINDOW + 1))
    assert cutoff.at in last


def test_it_follows_scores_that_change_and_stays_bounded():
    dice = random.Random(3)
    cutoff, flagged = seen(0.98, [dice.random() for _ in range(8_000)] + [dice.random() / 2 + 3 for _ in range(12_000)])
    assert 3.4 < cutoff.at < 3.5
    assert sum(flagged[-6_000:]) / 6_000 == pytest.approx(0.02, rel=0.3)
    assert len(cutoff.recent) == WINDOW


def test_a_shard_flags_this_share_of_its_records():
    learner = Learner(task(0.95), 0)
    decisions = fold(learner, records(11_000))
    assert set(map(type, decisions)) == {bool}
    assert sum(decisions[-5_000:]) / 5_000 == pytest.approx(0.05, rel=0.2), "once the scores have settled"
    assert learner.champion.predict({"price": 40.0, "size": 0.0}).value is True
    assert learner.champion.predict({"price": 10.0, "size": 0.0}).value is False
    assert 0 < learner.champion.describe()["threshold"] < 1


def test_questions_labels_and_samples_count_each_record_once():
    plain, mixed = Learner(task(), 0), Learner(task(), 0)
    rows = records(300)
    fold(plain, rows)
    for at, row in enumerate(rows):
        question, label = {"id": f"r{at}"} | row, {"id": f"r{at}", "label": at % 9 == 0}
        fold(mixed, [[row], [question], [question, label], [label, question], [question | label]][at % 5])
    assert list(mixed.champion.cutoff.recent) == list(plain.champion.cutoff.recent)
    assert mixed.champion.cutoff.at == plain.champion.cutoff.at


def test_asking_changes_neither_threshold_nor_state():
    learner = Learner(task(), 0)
    fold(learner, records(400))
    before = digest(learner.state)
    for row in records(500, middle=30.0):
        learner.champion.predict(row["features"])
    assert digest(learner.state) == before


def test_a_state_that_was_read_goes_on_as_it_would_have():
    learner = Learner(task(), 0)
    fold(learner, records(450))
    state = encode(learner.state)
    other = Learner(task(), 0, decode(state))
    assert encode(other.state) == state
    assert fold(other, records(300, seed=1)) == fold(learner, records(300, seed=1))
    assert digest(other.state) == digest(learner.state)


def test_a_fold_that_is_taken_up_at_any_position_ends_the_same(monkeypatch):
    monkeypatch.setattr("headrace.learning.arms.quantile_cutoff.EVERY", 7)
    monkeypatch.setattr("headrace.learning.arms.quantile_cutoff.WINDOW", 25)
    log = MemoryLog(task(0.8, wait="30s", arms={"trees": {"model": {"use": "half_space_trees", "window_size": 10}}}))
    for at, row in enumerate(records(50)):
        log.append(row if at % 3 else {"id": f"r{at}"} | row, timestamp=1_000 * at)
        if at % 10 == 9:
            log.append({"id": f"r{at - 3}", "label": at % 20 == 9}, {"control": "checkpoint", "id": f"c{at}"})
    log.append({"control": "rollback", "to": "previous", "id": "back"})
    for row in records(20, seed=1):
        log.append(row)
    log.check_restarts()


ELSEWHERE = """
import json, sys
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.snapshot import digest
from headrace.learning.task import Task, Threshold
learner = Learner(Task(name="ads", kind="anomaly", threshold=Threshold(quantile=0.95)), 0)
for at, row in enumerate(json.load(sys.stdin)):
    for _ in learner.fold(Message(at, json.dumps(row).encode())):
        pass
print(digest(learner.state), learner.champion.cutoff.at)
"""


def test_two_processes_have_the_same_threshold():
    rows = json.dumps(records(600))
    one, other = (
        subprocess.run([sys.executable, "-c", ELSEWHERE], input=rows, text=True, capture_output=True, check=True).stdout
        for _ in range(2)
    )
    assert one == other
    assert "None" not in one


def test_another_model_is_judged_by_its_own_scores():
    learner = Learner(task(), 0)
    fold(learner, records(400))
    at = learner.champion.cutoff.at
    learner.champion.replace(learner.task, Arm(task(), role="champion").model, None, 0, learner.state.step)
    assert (len(learner.champion.cutoff.recent), learner.champion.cutoff.at) == (0, at)


def test_a_changed_threshold_is_in_force_at_once():
    learner = Learner(task(), 0)
    fold(learner, [{"control": "define", "task": json.loads(define(task())), "first": True}, *records(300)])
    fold(learner, [{"control": "define", "task": json.loads(define(task(threshold=0.9)))}])
    assert learner.champion.cutoff.at == 0.9
    fold(learner, [{"control": "define", "task": json.loads(define(task()))}])
    assert learner.champion.cutoff.at is None


def test_a_definition_comes_back_as_it_was():
    assert define(under(task(), define(task()))) == define(task())


@pytest.mark.parametrize(
    ("kind", "threshold", "what"),
    [
        ("binary", {"quantile": 0.99}, "threshold.quantile is not for binary tasks"),
        ("regression", {"quantile": 0.99}, "threshold is not for regression tasks"),
        ("anomaly", {"quantile": 0.99, "precision": 0.9}, "threshold has one of precision, quantile"),
        ("anomaly", {"quantile": 0.99, "false_positive": 1}, "threshold has one of precision, quantile"),
        ("anomaly", {"quantile": 1.0}, "<= 0.999"),
        ("anomaly", {"quantile": 0.01}, ">= 0.5"),
        ("anomaly", {}, "threshold has one of precision, quantile"),
    ],
)
def test_what_a_quantile_cannot_be_is_refused(kind, threshold, what):
    with pytest.raises(msgspec.ValidationError, match=what):
        msgspec.convert({"name": "ads", "kind": kind, "threshold": threshold}, Task)


def test_a_cutoff_that_flags_the_border_too_is_noticed(monkeypatch):
    """The test of the share fails with a cutoff that counts equal scores in."""

    def decide(cutoff, score):
        return cutoff.at is not None and score >= cutoff.at - 0.05

    monkeypatch.setattr(QuantileCutoff, "decide", decide)
    dice = random.Random(4)
    _, flagged = seen(0.99, (dice.betavariate(8, 2) for _ in range(20_000)))
    assert sum(flagged) / len(flagged) > 0.02
