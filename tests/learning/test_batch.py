"""Micro-batches and timed updates: scored at once, learned together, in order."""

import json
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

import headrace.learning.fold.learn
from headrace.learning.effects import Alert
from headrace.learning.fold.learner import Learner
from headrace.learning.models.online_linear import OnlineLinearClassifier, OnlineLinearRegressor
from headrace.learning.snapshot import digest
from headrace.learning.task import BATCH_MAX, Task, Update
from headrace.learning.waiting.batch import Batch, BatchState, LabelledFeatures


def learner(model="logistic", **update):
    return Learner(Task(name="t", kind="binary", model=model, update=Update(**update) if update else None), 0)


def message(offset, *records, at=0.0):
    rows = [json.dumps(record).encode() for record in records]
    return SimpleNamespace(offset=offset, timestamp=int(at * 1000), key=None, value=b"\n".join(rows))


def samples(count):
    return [{"features": {"x": (n % 7) - 3.0, "y": n % 3}, "label": n % 2 == 0} for n in range(count)]


def fold(learner, *messages):
    return [effect for one in messages for effects in learner.fold(one) for effect in effects]


def test_labels_are_scored_at_once_and_learned_when_there_are_enough():
    one, cold = learner(batch=4), digest(learner().champion.model)
    fold(one, message(0, *samples(3)))
    assert (one.state.updates, one.champion.scoreboard.scored, digest(one.champion.model)) == (0, 3, cold)
    fold(one, message(1, *samples(1)))
    assert (one.state.updates, len(one.state.batch.rows)) == (4, 0)


def test_a_batch_is_learned_in_its_order():
    batched, single = learner(batch=50), learner()
    rows = samples(100)
    for offset, row in enumerate(rows):
        fold(batched, message(offset, row))
        fold(single, message(offset, row))
    assert digest(batched.champion.model) == digest(single.champion.model)
    assert digest(batched.champion.scoreboard) != digest(single.champion.scoreboard)


@pytest.mark.parametrize("update", [{"every": "5s"}, {"batch": 10, "every": "5s"}])
def test_a_batch_is_learned_when_its_first_label_has_waited_long_enough_in_log_time(update):
    one = learner(**update)
    fold(one, message(0, *samples(1), at=3), message(1, *samples(1), at=7.999))
    assert (one.state.updates, one.due_at) == (0, 8_000)
    fold(one, message(2, {"control": "tick"}, at=8))
    assert (one.state.updates, one.due_at) == (2, float("inf"))
    fold(one, message(3, *samples(10), at=9))
    assert one.state.updates == (12 if "batch" in update else 2)


def test_a_message_that_makes_a_batch_due_is_predicted_by_the_model_that_has_learned_it():
    one, single = learner(every="5s"), learner()
    fold(one, message(0, *samples(1)), message(1, *samples(1), at=5))
    fold(single, message(0, *samples(1)))
    expected = single.champion.predict(samples(1)[0]["features"]).probabilities[True]
    assert one.champion.scoreboard.window[-1][2] == expected


def test_too_many_labels_are_learned_before_it_is_time_and_that_is_told():
    one = learner(model="no_change", every="1h")
    rows = samples(1_000)
    told = [fold(one, message(offset, *rows)) for offset in range(10)]
    assert [effect.code for effect in told[-1] if isinstance(effect, Alert)] == ["batch_full"]
    assert not any(told[:-1])
    assert (one.state.updates, one.state.batch.overflows, len(one.state.batch.rows)) == (BATCH_MAX, 1, 0)


def test_requests_are_let_in_while_a_large_batch_is_learned(monkeypatch):
    monkeypatch.setattr(headrace.learning.fold.learn, "CHUNK", 8)
    one = learner(batch=40)
    fold(one, message(0, *samples(39)))
    seen = [(one.between_messages, one.state.updates) for _ in one.fold(message(1, *samples(1)))]
    assert seen == [*((False, n) for n in range(8, 41, 8)), (True, 40)]


def test_a_mean_step_is_the_mean_of_the_gradients_at_the_same_weights():
    model = OnlineLinearRegressor(learning_rate=0.1, l2=0.01, momentum=0.5)
    model.learn_one({"a": 1.0, "b": -1.0}, 2.0)
    weights, intercept = model.weights, model.intercept
    velocity = {"a": -2.0, "b": 2.0, "c": 0.0}
    rows = [({"a": 1.0}, 3.0), ({"a": 2.0, "c": 1.0}, -1.0)]
    slopes = [intercept + sum(weights.get(k, 0.0) * v for k, v in x.items()) - y for x, y in rows]
    gradient = {"a": (slopes[0] * 1.0 + slopes[1] * 2.0) / 2, "c": slopes[1] * 1.0 / 2}
    model.learn_mean(rows)
    for name in ("a", "c"):
        moved = 0.5 * velocity[name] + gradient[name] + 0.01 * weights.get(name, 0.0)
        assert model.weights[name] == pytest.approx(weights.get(name, 0.0) - 0.1 * moved, abs=1e-12)
    assert model.weights["b"] == weights["b"]
    assert model.intercept == pytest.approx(intercept - 0.1 * (0.5 * -2.0 + np.mean(slopes)), abs=1e-12)


def test_a_mean_of_one_row_is_that_row():
    one, two = OnlineLinearClassifier(momentum=0.3), OnlineLinearClassifier(momentum=0.3)
    for n in range(20):
        x = {"a": n % 3 - 1.0, "b": 0.5}
        one.learn_one(x, n % 2 == 0)
        two.learn_mean([(x, n % 2 == 0)])
    assert digest(one) == digest(two)


def test_a_task_takes_the_mean_of_its_batches():
    each, mean = learner("online_linear", batch=5), learner("online_linear", batch=5, gradient="mean")
    for one in (each, mean):
        fold(one, message(0, *samples(20)))
    assert each.state.updates == mean.state.updates == 20
    assert digest(each.champion.model) != digest(mean.champion.model)


@pytest.mark.parametrize(
    "update",
    [{}, {"batch": 0}, {"batch": BATCH_MAX + 1}, {"every": "0s"}, {"every": "soon"}, {"batch": 2, "gradient": "sum"}],
)
def test_an_update_that_makes_no_sense_is_refused(update):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(update, Update)


def test_the_mean_is_for_one_model_alone():
    with pytest.raises(ValueError, match="online_linear alone"):
        Task(name="t", kind="binary", update=Update(batch=2, gradient="mean"))


def test_a_batch_gives_its_rows_once():
    batch = Batch(BatchState(), Update(batch=3))
    batch.collect(LabelledFeatures({"x": 1}, True), clock=0)
    assert [row.label for row in batch.take()] == [True]
    assert batch.take() == []
