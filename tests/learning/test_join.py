"""Questions and labels: who meets whom, what is scored against what, and what becomes of the others."""

import json
from types import SimpleNamespace

import pytest

from headrace.learning.effects import Predicted, Quarantined, Resolved
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import Task, Unanswered, Update
from headrace.learning.waiting.join import ENTRY_MAX, WaitingQuestion, decode, encode
from headrace.learning.waiting.pending import InMemory, PendingEntry


def task(kind="binary", **more):
    return Task(name="ads", kind=kind, predictions=True, **more)


def message(offset, *records, at=0.0, key=None):
    rows = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return SimpleNamespace(offset=offset, timestamp=int(at * 1000), key=key, value=b"\n".join(rows))


def question(name="q", x=1.0, **more):
    return {"id": name, "features": {"x": x}, **more}


def label(name="q", y=True, **more):
    return {"id": name, "label": y, **more}


def fold(learner, *messages):
    return [effect for one in messages for effects in learner.fold(one) for effect in effects]


def of(kind, effects):
    return [effect for effect in effects if isinstance(effect, kind)]


def codes(effects):
    return [effect.code for effect in of(Quarantined, effects)]


def test_a_label_is_scored_against_what_was_said_when_its_question_was_folded():
    learner = Learner(task("regression"), 0)
    asked = fold(learner, message(0, question(x=2.0)))
    assert (of(Predicted, asked)[0].prediction.value, of(Predicted, asked)[0].label) == (0.0, None)
    fold(learner, *(message(n, {"features": {"x": float(n)}, "label": 7.0}) for n in range(1, 40)))
    assert learner.champion.predict({"x": 2.0}).value != 0.0
    before = learner.champion.scoreboard.figures()["mae"] * learner.champion.scoreboard.scored
    fold(learner, message(40, label(y=5.0)))
    after = learner.champion.scoreboard.figures()["mae"] * learner.champion.scoreboard.scored
    assert after - before == pytest.approx(5.0)  # it had said 0, whatever it would say now


def test_the_features_that_are_learned_are_those_of_the_question():
    one, two = (Learner(task(), 0) for _ in range(2))
    fold(one, message(0, question(x=3.5)), message(1, label()))
    fold(two, message(0, {"features": {"x": 3.5}, "label": True}))
    assert digest(one.champion.model) == digest(two.champion.model)
    assert (one.state.updates, one.state.join.answered, one.state.join.waiting) == (1, 1, 0)


def test_a_question_alone_changes_no_model_and_no_metric():
    learner = Learner(task(), 0)
    before = digest(learner.state.arms)
    fold(learner, message(0, question()))
    assert digest(learner.state.arms) == before
    assert (learner.state.join.waiting, learner.state.updates) == (1, 0)


def test_a_label_that_comes_first_waits_and_meets_its_question():
    learner = Learner(task(), 0)
    assert fold(learner, message(0, label())) == []
    assert learner.state.join.early == 1
    told = of(Resolved, fold(learner, message(1, question(), at=4)))
    assert [(effect.record, effect.how, effect.label, effect.delay_s) for effect in told] == [("q", "label", True, 0.0)]
    assert (learner.state.join.early, learner.state.join.answered, learner.state.updates) == (0, 1, 1)


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([question(), question()], "duplicate_id"),
        ([question(), label(), question()], "duplicate_id"),
        ([question(), label(), label()], "duplicate_label"),
        ([label(), label()], "duplicate_label"),
        ([label(), question(), label()], "duplicate_label"),
        ([label(), question(), question()], "duplicate_id"),
    ],
)
def test_the_second_question_or_label_of_an_id_is_refused_and_learned_by_nobody(records, code):
    learner, without = Learner(task(), 0), Learner(task(), 0)
    effects = fold(learner, *(message(offset, record) for offset, record in enumerate(records)))
    fold(without, *(message(offset, record) for offset, record in enumerate(records[:-1])))
    (refused,) = of(Quarantined, effects)
    assert (refused.code, refused.offset, json.loads(refused.value)) == (code, len(records) - 1, records[-1])
    assert digest(learner.state.arms) == digest(without.state.arms)
    assert learner.state.join.duplicates == 1


def test_one_message_may_hold_a_question_and_its_label():
    learner = Learner(task(), 0)
    fold(learner, message(0, question("a"), label("a"), label("b"), question("b")))
    assert (learner.state.join.answered, learner.state.updates) == (2, 2)


def test_a_question_waits_until_its_time_has_passed_and_not_a_millisecond_longer():
    for moment, how in ((9.999, "label"), (10.0, "expired")):
        learner = Learner(task(wait="10s"), 0)
        told = of(Resolved, fold(learner, message(0, question()), message(1, label(), at=moment)))
        assert [(effect.how, effect.delay_s) for effect in told] == [(how, moment)]


def test_what_expires_is_told_with_the_record_that_moved_the_clock():
    learner = Learner(task(wait="10s"), 0)
    fold(learner, message(0, question("a"), question("b"), at=0), message(1, question("c"), at=5))
    told = fold(learner, message(7, question("d"), at=12))
    assert [(effect.id, effect.record) for effect in of(Resolved, told)] == [("ads/0/7/0/0", "a"), ("ads/0/7/0/1", "b")]
    assert of(Predicted, told)[0].id == "ads/0/7/0/2"
    assert (learner.state.join.expired, learner.state.join.waiting) == (2, 2)


def test_an_assumed_label_is_scored_and_learned():
    learner = Learner(task(wait="10s", unanswered=Unanswered(assume=False)), 0)
    told = of(Resolved, fold(learner, message(0, question()), message(1, {"control": "tick"}, at=60)))
    assert [(effect.how, effect.label) for effect in told] == [("assumed", False)]
    assert (learner.state.updates, learner.champion.scoreboard.scored, learner.state.join.expired) == (1, 1, 1)


@pytest.mark.parametrize(("least", "how"), [(0.5, "self_trained"), (0.9999, "expired")])
def test_self_training_learns_what_was_said_with_enough_probability_and_scores_nothing(least, how):
    learner = Learner(task(wait="10s", unanswered=Unanswered(self_train=least)), 0)
    told = of(Resolved, fold(learner, message(0, question()), message(1, {"control": "tick"}, at=60)))
    assert [effect.how for effect in told] == [how]
    assert learner.champion.scoreboard.scored == 0
    assert learner.state.updates == (how == "self_trained")


def test_a_cold_model_has_nothing_to_train_itself_on():
    learner = Learner(task(model="no_change", wait="10s", unanswered=Unanswered(self_train=0.1)), 0)
    told = of(Resolved, fold(learner, message(0, question()), message(1, {"control": "tick"}, at=60)))
    assert [effect.how for effect in told] == ["expired"]


def test_a_label_for_which_no_question_comes_is_quarantined_whole_with_its_origin():
    learner = Learner(task(wait="10s"), 0)
    line = b' {"id": "lost", "label": true}\r'
    fold(learner, message(0, question("x"), line, key=b"k"))
    (refused,) = of(Quarantined, fold(learner, message(5, {"control": "tick"}, at=60)))
    assert (refused.code, refused.offset, refused.row, refused.key, refused.value) == ("orphan", 0, 1, b"k", line)
    assert (learner.state.join.orphans, learner.state.join.early) == (1, 0)


def test_a_label_that_met_its_question_does_not_become_an_orphan():
    learner = Learner(task(wait="10s"), 0)
    fold(learner, message(0, label()), message(1, question(), at=5))
    assert fold(learner, message(2, {"control": "tick"}, at=60)) == []
    assert learner.due_at == float("inf")


def test_an_id_may_be_used_again_when_its_time_has_passed_since_the_label():
    learner = Learner(task(wait="10s"), 0)
    fold(learner, message(0, question()), message(1, label(), at=5))
    assert codes(fold(learner, message(2, question(), at=14.999))) == ["duplicate_id"]
    assert codes(fold(learner, message(3, question(), at=15), message(4, label(y=False), at=16))) == []
    assert learner.state.join.answered == 2


def test_a_sample_does_not_meet_a_question_of_its_id():
    learner = Learner(task(), 0)
    assert codes(fold(learner, message(0, question()), message(1, question() | label()), message(2, label()))) == []
    assert (learner.state.updates, learner.state.join.answered) == (2, 1)


def test_a_tick_moves_the_clock_and_nothing_else():
    learner, other = Learner(task(), 0), Learner(task(), 0)
    assert fold(learner, message(0, {"control": "tick", "by": "someone"}, at=9)) == []
    fold(other, message(0, {"control": "tick"}))
    learner.state.clock = learner.state.begun_at = 0
    learner.state.last = other.state.last  # the mark of another message
    assert digest(learner.state) == digest(other.state)


def test_due_is_when_the_oldest_entry_expires():
    learner = Learner(task(wait="10s"), 0)
    assert learner.due_at == float("inf")
    fold(learner, message(0, question("a"), at=3), message(1, label("b"), at=5))
    assert learner.due_at == 13_000
    fold(learner, message(2, {"control": "tick"}, at=13))
    assert learner.due_at == 15_000


def test_what_a_stopped_process_left_of_later_steps_does_not_count():
    pending = InMemory()
    for step in (2, 3):  # it had folded the question once more, with other features, and its label
        pending.put(PendingEntry(step, "q", encode(WaitingQuestion(0, {"x": 9.0}, {}, None))))
    learner = Learner(task(), 0, pending=pending)
    clean = Learner(task(), 0)
    for one in (learner, clean):
        fold(one, message(0, question("q", x=1.0)))
    assert learner.join.find("q", 2, 0) == clean.join.find("q", 2, 0)
    assert learner.join.find("q", 2, 0).question[1].features == {"x": 1.0}


@pytest.mark.parametrize(
    ("kind", "row"), [("question", {"features": {f"f{n}": "x" * 4000 for n in range(70)}}), ("label", None)]
)
def test_what_is_too_large_to_wait_is_refused(kind, row):
    record = {"id": "big", **row} if row else b'{"id": "big", "label": true}' + b" " * ENTRY_MAX
    learner = Learner(task(), 0)
    (refused,) = of(Quarantined, fold(learner, message(0, record)))
    assert (refused.code, kind in refused.reason) == ("too_large", True)
    assert (learner.state.join.waiting, learner.state.join.early, learner.due_at) == (0, 0, float("inf"))


def test_what_users_were_told_is_scored_apart():
    learner = Learner(task(), 0)
    told = {"arm": "champion", "prediction": True, "position": 0}
    fold(
        learner,
        message(0, question("a", served=told), question("b", served=told | {"prediction": None}), question("c")),
    )
    fold(learner, message(1, label("a", y=False), label("b"), label("c")))
    served = learner.describe()["served"]
    assert (served["scored"], served["accuracy"], served["f1"]) == (1, 0.0, 0.0)
    assert learner.champion.scoreboard.scored == 3


def test_label_delays_are_told_as_quantiles_in_log_time():
    learner = Learner(task(), 0)
    for number in range(100):
        fold(learner, message(2 * number, question(str(number)), at=number * 1000))
        fold(learner, message(2 * number + 1, label(str(number)), at=number * 1000 + number))
    assert learner.describe()["questions"]["label_delay_s"] == {"p50": 50.0, "p90": 90.0, "p99": 99.0}


def test_an_entry_keeps_every_kind_of_value_as_it_is():
    features = {"whole": 1, "number": 1.0, "text": "1", "flag": True, "least": -0.0}
    predictions = {
        "champion": ("b", {"a": 0.1, "b": 0.9}),
        "baseline": None,
        "other": (2, {1: 0.25, 2: 0.75, "1": 0.0}),
    }
    found = decode(encode(WaitingQuestion(5, features, predictions, None)))
    assert [(name, type(value), str(value)) for name, value in found.features.items()] == [
        (name, type(value), str(value)) for name, value in features.items()
    ]
    assert found.predictions == predictions


def test_a_state_in_which_much_waits_survives_its_snapshot():
    about = task(order="event_time", lateness="5s", update=Update(batch=10), model="online_linear")
    learner = Learner(about, 0)
    records = [question(str(n), time=float(n)) for n in range(20)] + [label(str(n), time=n + 3.0) for n in range(9)]
    fold(learner, *(message(offset, record, at=20 + offset / 10) for offset, record in enumerate(records)))
    assert learner.state.order.held
    assert learner.state.batch.rows
    again = unseal(seal(learner.state, about, 0, writer="w"), about, 0)
    assert digest(again) == digest(learner.state)
    more = [message(99, label("15", time=40.0), at=50), message(100, {"control": "tick"}, at=99)]
    other = Learner(about, 0, again, learner.join.pending)
    assert fold(other, *more) == fold(learner, *more)
    assert digest(other.state) == digest(learner.state)
