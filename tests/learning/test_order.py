"""Event-time order: only times in the log decide who waits, for how long, and who is late."""

import json
from types import SimpleNamespace

import pytest

import headrace.learning.waiting.order
from headrace.learning.effects import Alert, Predicted, Quarantined
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task


def learner(**more):
    return Learner(Task(name="t", kind="binary", predictions=True, order="event_time", lateness="10s", **more), 0)


def message(offset, *records, at=100.0):
    rows = [json.dumps(record).encode() for record in records]
    return SimpleNamespace(offset=offset, timestamp=int(at * 1000), key=None, value=b"\n".join(rows))


def sample(name, time):
    return {"id": name, "features": {"x": 1.0}, "label": True} | ({} if time is None else {"time": time})


def fold(learner, *messages):
    return [effect for one in messages for effects in learner.fold(one) for effect in effects]


def acted(effects):
    return [effect.record for effect in effects if isinstance(effect, Predicted)]


def test_records_are_acted_upon_in_the_order_of_their_times_once_the_watermark_has_reached_them():
    one = learner()
    assert acted(fold(one, message(0, sample("c", 30), sample("a", 21), sample("b", 25)))) == []
    assert acted(fold(one, message(1, sample("d", 36)))) == ["a", "b"]
    assert acted(fold(one, message(2, sample("e", 90)))) == ["c", "d"]
    assert one.describe()["order"] == {"held": 1, "late": 0, "ahead": 0, "overflows": 0}


def test_of_one_time_labels_come_first_then_the_order_of_the_log():
    one = learner()
    fold(one, message(0, {"id": "q", "features": {"x": 1.0}, "time": 5}))
    told = fold(
        one,
        message(1, sample("s", 6), sample("t", 6), {"id": "q", "label": True, "time": 6}),
        message(2, sample("z", 60)),
    )
    assert [type(effect).__name__ for effect in told] == ["Predicted", "Resolved", "Predicted", "Predicted"]
    assert acted(told) == ["q", "s", "t"]


def test_a_record_without_a_time_has_that_of_the_log():
    one = learner()
    fold(one, message(0, sample("a", None), at=50), message(1, sample("b", 45), at=51))
    assert acted(fold(one, message(2, sample("c", 60), at=52))) == ["b", "a"]


@pytest.mark.parametrize(("late", "learned", "refused"), [("learn", ["late"], []), ("quarantine", [], ["late"])])
def test_what_comes_after_the_watermark_is_learned_at_once_or_refused(late, learned, refused):
    one = learner(late=late)
    fold(one, message(0, sample("a", 100)))
    told = fold(one, message(1, sample("late", 89.999)))
    assert acted(told) == learned
    assert [effect.code for effect in told if isinstance(effect, Quarantined)] == refused
    assert one.state.order.late == 1
    assert acted(fold(one, message(2, sample("in time", 90)))) == ["in time"]
    assert one.state.order.late == 1


@pytest.mark.parametrize(("late", "learned", "refused"), [("learn", ["ahead"], []), ("quarantine", [], ["ahead"])])
def test_a_time_too_far_ahead_of_the_log_does_not_move_the_watermark(late, learned, refused):
    one = learner(late=late)
    told = fold(one, message(0, sample("ahead", 110.001), at=100))
    assert acted(told) == learned
    assert [effect.code for effect in told if isinstance(effect, Quarantined)] == refused
    assert (one.state.order.watermark, one.state.order.ahead) == (0, 1)
    assert fold(one, message(1, sample("b", 99), sample("a", 98), at=101)) == []
    assert acted(fold(one, message(2, sample("c", 109), at=101))) == ["a", "b"]
    assert (one.state.order.late, one.state.order.ahead) == (0, 1)


def test_the_watermark_never_passes_the_log_time():
    one = learner()
    fold(one, message(0, sample("a", 110), at=100))
    assert one.state.order.watermark == 100_000
    fold(one, message(1, {"control": "tick"}, at=110))
    assert one.state.order.watermark == 110_000


def test_when_no_record_has_come_for_the_lateness_none_is_waited_for():
    one = learner()
    fold(one, message(0, sample("b", 12), at=2), message(1, sample("a", 11), at=3))
    assert one.due_at == 13_000
    assert acted(fold(one, message(2, {"control": "tick"}, at=12.999))) == []
    assert acted(fold(one, message(3, {"control": "tick"}, at=13))) == ["a", "b"]
    assert one.due_at == float("inf")


def test_control_records_and_refused_ones_do_not_wait():
    one = learner()
    fold(one, message(0, sample("a", 5)))
    told = fold(one, message(1, {"control": "unknown"}, {"features": {}, "label": 3}))
    assert [effect.code for effect in told] == ["control", "label"]


def test_a_record_that_waited_is_refused_with_its_own_origin():
    one = learner()
    record = {"id": "q", "features": {"x": 1.0}, "time": 5}
    told = fold(one, message(0, record), message(1, record), message(7, sample("z", 60)))
    (refused,) = (effect for effect in told if isinstance(effect, Quarantined))
    assert (refused.code, refused.offset, refused.row, json.loads(refused.value)) == ("duplicate_id", 1, 0, record)
    assert refused.id.startswith("t/0/7/0/")


def test_when_too_many_wait_the_earliest_waits_no_longer_and_it_is_told(monkeypatch):
    monkeypatch.setattr(headrace.learning.waiting.order, "HELD_MAX", 3)
    one = learner()
    told = fold(one, *(message(n, sample(str(n), 10 + n / 10)) for n in range(3)))
    assert told == []
    told = fold(one, message(3, sample("3", 9.9)))
    assert acted(told) == ["3"]
    assert [effect.code for effect in told if isinstance(effect, Alert)] == ["order_full"]
    assert acted(fold(one, message(4, sample("4", 10.05)))) == ["0"]
    assert one.state.order.overflows == 2
