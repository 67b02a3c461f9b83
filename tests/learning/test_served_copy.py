"""Answers from a copy leave the learner that folds as it is, and are of no earlier position than they say."""

import json
from types import SimpleNamespace

import pytest
from river import compose, linear_model, preprocessing

from headrace.learning.fold.learner import Learner
from headrace.learning.fold.served_copy import ANSWERS_MAX, ServedCopy, copy_for_answers
from headrace.learning.models.preparing import OneHot
from headrace.learning.snapshot import digest
from headrace.learning.task import Task


@pytest.fixture
def learner():
    learner = Learner(Task(name="t", kind="binary"), 0)
    learner.champion.model = compose.Pipeline(
        OneHot(), preprocessing.StandardScaler(), linear_model.LogisticRegression()
    )
    fold(learner, 20)
    return learner


def fold(learner, n):
    for number in range(n):
        value = json.dumps({"features": {"a": number, "b": -number}, "label": number % 3 == 0}).encode()
        for _ in learner.fold(SimpleNamespace(offset=learner.state.position, timestamp=0, key=None, value=value)):
            pass


class Clock:
    """Each look takes a millisecond."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.001
        return self.now


def test_asking_a_copy_leaves_the_learner_as_it_was(learner):
    before, asked = digest(learner.state), copy_for_answers(learner)
    assert asked.champion.predict({"a": 1.0}) == learner.champion.predict({"a": 1.0})
    asked.champion.predict({"unknown": 1.0})
    assert digest(learner.state) == before
    assert digest(asked.state) != before


def test_learning_on_leaves_the_copy_as_it_was(learner):
    asked = copy_for_answers(learner)
    before = digest(asked.state.arms), asked.state.position
    fold(learner, 5)
    assert (digest(asked.state.arms), asked.state.position) == before


def test_a_copy_is_renewed_when_the_learner_has_gone_on_and_copying_had_a_rest(learner):
    clock = Clock()
    served = ServedCopy(clock)
    first = served.of(learner)
    assert served.of(learner) is first
    fold(learner, 1)
    assert served.of(learner) is first
    clock.now += 1.0
    second = served.of(learner)
    assert second is not first
    assert second.state.position == learner.state.position


def test_a_position_that_is_asked_for_is_in_the_copy_if_the_learner_has_it(learner):
    served = ServedCopy(Clock())
    first = served.of(learner)
    fold(learner, 1)
    assert served.of(learner, min_position=learner.state.position + 1) is first
    assert served.of(learner, min_position=learner.state.position).state.position == learner.state.position


def test_another_learner_is_another_copy_and_a_worn_one_is_renewed(learner):
    served = ServedCopy(Clock())
    first = served.of(learner)
    assert [served.of(learner) for _ in range(ANSWERS_MAX - 1)] == [first] * (ANSWERS_MAX - 1)
    second = served.of(learner)
    assert second is not first
    assert served.of(Learner(learner.task, 0, learner.state)) is not second
