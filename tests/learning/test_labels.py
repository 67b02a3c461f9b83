"""The labels of a multiclass task are of one type, that of the first: as a key of a JSON object, 1 and "1" are the same."""

import json
from types import SimpleNamespace

import pytest

import headrace.learning.records.labels
from headrace.learning.effects import Quarantined
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.task import Task, Unanswered

TASK = Task(name="ads", kind="multiclass", model="naive_bayes")


def sample(label):
    return {"features": {"x": 1.0}, "label": label}


def question(name, served=None):
    told = {} if served is None else {"served": {"arm": "champion", "prediction": served, "position": 0}}
    return {"id": name, "features": {"x": 1.0}, **told}


def fold(learner, *records):
    """The codes and reasons of what was refused."""
    refused = []
    for record in records:
        value, offset = json.dumps(record).encode(), learner.state.position
        for effects in learner.fold(SimpleNamespace(offset=offset, timestamp=offset, key=None, value=value)):
            refused += [(effect.code, effect.reason) for effect in effects if isinstance(effect, Quarantined)]
    return refused


def through_bytes(learner):
    state = unseal(seal(learner.state, learner.task, 0, writer="test"), learner.task, 0)
    return Learner(learner.task, 0, state, learner.join.pending)


@pytest.mark.parametrize(
    ("first", "other", "noun"), [(1, "1", "whole numbers, not strings"), ("1", 1, "strings, not whole numbers")]
)
@pytest.mark.parametrize("snapshot", [False, True])
def test_a_label_of_another_type_than_the_first_is_refused(first, other, noun, snapshot):
    learner = Learner(TASK, 0)
    assert fold(learner, sample(first)) == []
    if snapshot:
        learner = through_bytes(learner)
    ((code, reason),) = fold(learner, sample(other))
    assert code == "label"
    assert f"label {other!r} is not of the type of this task's labels, which are {noun}." in reason
    assert fold(learner, question("a"), {"id": "a", "label": other})[0][0] == "label"
    assert learner.state.updates == 1
    assert fold(learner, {"id": "a", "label": first}) == []
    assert list(learner.champion.predict({"x": 1.0}).probabilities) == [first]


def test_the_type_is_part_of_the_state():
    learners = [Learner(TASK, 0) for _ in range(2)]
    for learner, label in zip(learners, (1, "1"), strict=True):
        fold(learner, {"id": "early", "label": label})
        learner.join.state.__dict__.clear()
    assert digest(learners[0].state) != digest(learners[1].state)
    assert digest(through_bytes(Learner(TASK, 0)).state) == digest(Learner(TASK, 0).state)


def test_a_question_that_was_answered_with_another_type_is_refused():
    learner = Learner(TASK, 0)
    fold(learner, sample(1))
    ((code, reason),) = fold(learner, question("a", served="1"))
    assert code == "label"
    assert "served.prediction '1' is not of the type" in reason
    assert fold(learner, question("b", served=1), {"id": "b", "label": 1}) == []
    assert learner.state.served.scored == 1


def test_what_was_answered_before_the_first_label_is_not_scored_if_it_is_of_another_type():
    learner = Learner(TASK, 0)
    assert fold(learner, question("a", served="1"), question("b", served=1)) == []
    assert fold(learner, {"id": "a", "label": 1}, {"id": "b", "label": 1}) == []
    assert learner.state.served.scored == 1


def test_what_is_assumed_decides_the_type_before_the_first_label():
    learner = Learner(Task(name="ads", kind="multiclass", unanswered=Unanswered(assume="none")), 0)
    assert fold(learner, sample(1))[0][0] == "label"
    assert fold(learner, sample("1")) == []


def test_records_that_waited_for_their_time_are_looked_at_when_they_are_learned():
    task = Task(name="ads", kind="multiclass", order="event_time", lateness="1s")
    learner = Learner(task, 0)
    later = {**sample("1"), "time": 0.002}
    assert fold(learner, later, {**sample(1), "time": 0.001}) == []
    learner = Learner(task, 0, learner.state)
    tick = SimpleNamespace(offset=learner.state.position, timestamp=5_000, key=None, value=b'{"control": "tick"}')
    refused = [effect for effects in learner.fold(tick) for effect in effects if isinstance(effect, Quarantined)]
    assert [json.loads(effect.value)["label"] for effect in refused] == ["1"]
    assert learner.state.updates == 1


@pytest.fixture
def few(monkeypatch):
    """A task may have three labels."""
    monkeypatch.setattr(headrace.learning.records.labels, "LABELS_MAX", 3)


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_label_beyond_the_limit_is_refused_wherever_it_stands_and_known_ones_are_learned_on(few, snapshot):
    learner = Learner(TASK, 0)
    assert fold(learner, sample("a"), sample("b"), {"id": "early", "label": "c"}, sample("a")) == []
    if snapshot:
        learner = through_bytes(learner)
    before = learner.state.updates
    refused = fold(learner, sample("d"), {"id": "q", "label": "e"}, question("q", served="f"))
    assert [code for code, _ in refused] == ["too_many_labels"] * 3
    assert "label 'd' is new, and a task may have up to 3, of which 3 are known already." in refused[0][1]
    assert learner.state.updates == before
    assert fold(learner, sample("c"), question("q", served="b"), {"id": "q", "label": "b"}) == []
    assert list(learner.state.labels) == ["a", "b", "c"]


def test_what_is_refused_for_one_of_two_labels_adds_neither(few):
    learner = Learner(TASK, 0)
    fold(learner, sample("a"), sample("b"))
    both = {**sample("c"), "served": {"arm": "champion", "prediction": "d", "position": 0}}
    assert fold(learner, both)[0][0] == "too_many_labels"
    assert list(learner.state.labels) == ["a", "b"]


def test_what_is_assumed_is_one_of_the_labels(few):
    learner = Learner(Task(name="ads", kind="multiclass", unanswered=Unanswered(assume="none")), 0)
    assert fold(learner, sample("a"), sample("b"), sample("none")) == []
    assert fold(learner, sample("c"))[0][0] == "too_many_labels"


def test_declared_labels_are_not_counted_as_they_are_met():
    learner = Learner(Task(name="ads", kind="multiclass", labels=["a", "b"]), 0)
    assert fold(learner, sample("a"), sample("b")) == []
    assert learner.state.labels == {}


def test_the_limit_of_labels_is_a_thousand():
    learner = Learner(Task(name="ads", kind="multiclass", model="no_change"), 0)
    assert fold(learner, *(sample(number) for number in range(1_000))) == []
    assert [code for code, _ in fold(learner, sample(1_000), sample(999))] == ["too_many_labels"]
