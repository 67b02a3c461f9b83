"""A user's own model fails on a question: the answer names the model, and nothing else is disturbed."""

import asyncio
import json
import math
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from river import base

from headrace.agents.pace import Pace
from headrace.agents.telemetry import Telemetry
from headrace.app.serving import served_task as module
from headrace.app.serving.question import Asked, Question
from headrace.app.serving.refused import RequestRefused
from headrace.app.serving.requests import answering
from headrace.app.serving.served_task import ServedTask
from headrace.app.serving.serving import Serving
from headrace.app.views.resource import Resource
from headrace.learning.errors import ModelError
from headrace.learning.fold.learner import Learner
from headrace.learning.task import ArmSettings, Task


class Says(base.Classifier):
    """A model that gives the answer, or raises the error, with which it was made."""

    def __init__(self, answer):
        self.answer = answer

    def learn_one(self, x, y):
        pass

    def predict_proba_one(self, x):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    @property
    def _multiclass(self):
        return True


class SaysNumber(base.Regressor):
    def __init__(self, answer):
        self.answer = answer

    def learn_one(self, x, y):
        pass

    def predict_one(self, x):
        return self.answer


class RustPanic(BaseException):
    pass


@pytest.fixture
def served(monkeypatch):
    """Return a function that makes the served task of a model with this answer, for `serving`."""

    def make(answer, kind="binary", **more):
        own = ModuleType("own_says")
        own.make = lambda: (SaysNumber if kind == "regression" else Says)(answer)
        monkeypatch.setitem(sys.modules, "own_says", own)
        task = Task(name="t", kind=kind, model="own_says:make", **more)
        model = SimpleNamespace(learner=Learner(task, 0), partition=0, status="live", position=0, staleness=0.0)
        around = SimpleNamespace(own_modules=(), telemetry=Telemetry())
        shards = SimpleNamespace(
            task=task, answering=lambda partition: model, owned={}, pace=Pace(), collaborators=around
        )
        return ServedTask(task, shards)

    return make


@pytest.fixture
def serving():
    return Serving.__new__(Serving)


def ask(serving, served):
    (answer,) = asyncio.run(serving.answer(served, (Question({"x": 1.0}, id="q"),), Asked()))
    return answer


@pytest.mark.parametrize(
    "raised",
    [
        KeyError("price"),
        SystemExit(3),
        KeyboardInterrupt(),
        asyncio.CancelledError(),
        RustPanic("index out of bounds"),
        StopIteration(),
        GeneratorExit(),
        MemoryError(),
        OSError("no such file"),
    ],
)
def test_whatever_a_model_raises_is_a_problem_that_names_it(serving, served, raised):
    with pytest.raises(RequestRefused) as refused:
        ask(serving, served(raised))
    assert (refused.value.kind, refused.value.code) == ("unavailable", "model")
    assert "'own_says:make' of task 't'" in refused.value.what
    assert type(raised).__name__ in refused.value.what
    assert refused.value.remedy


@pytest.mark.parametrize("trouble", ["is not there", "raises", "is cold", "is not finite"])
def test_the_champion_answers_for_an_arm_that_cannot(serving, served, monkeypatch, trouble):
    other = ModuleType("own_other")
    other.make = lambda: Says({"raises": KeyError("price"), "is not finite": {True: math.nan}}.get(trouble, {}))
    monkeypatch.setitem(sys.modules, "own_other", other)
    arms = {} if trouble == "is not there" else {"tree": ArmSettings(model="own_other:make")}
    task = served({True: 0.75, False: 0.25}, arms=arms)
    task.stays = lambda arm: True
    task.shards.answering(0).learner.state.traffic.shares = {"tree": 1.0}
    answered = json.loads(serving_bytes(ask(serving, task)))
    assert (answered["arm"], answered["prediction"]) == ("champion", True)


def test_an_arm_that_fails_is_named_in_the_log(serving, served, monkeypatch):
    other = ModuleType("own_other")
    other.make = lambda: Says(KeyError("price"))
    monkeypatch.setitem(sys.modules, "own_other", other)
    task = served({True: 0.75, False: 0.25}, arms={"tree": ArmSettings(model="own_other:make")})
    task.stays = lambda arm: True
    task.shards.answering(0).learner.state.traffic.shares = {"tree": 1.0}
    logged = []
    monkeypatch.setattr(module, "log", SimpleNamespace(error=lambda *a, **more: logged.append(more)))
    ask(serving, task)
    assert [line["model"] for line in logged] == ["own_other:make"]


@pytest.mark.parametrize(
    ("answer", "kind", "more", "what"),
    [
        ({"maybe": 1.0}, "binary", {}, "the class 'maybe', which is not one of true, false"),
        ({True: 0.9, "maybe": 0.1}, "binary", {}, "the class 'maybe'"),
        ({1: 0.9, 0: 0.1}, "binary", {}, "the class 1, which is not one of true, false"),
        ({"d": 1.0}, "multiclass", {"labels": ["a", "b"]}, "the class 'd', which is not one of the task's labels"),
        ({True: 1.0}, "multiclass", {"labels": [1, 2]}, "the class True"),
        ({1.5: 1.0}, "multiclass", {}, "the class 1.5, which is not a string or a whole number"),
        ({1: 0.5, "1": 0.5}, "multiclass", {}, "classes that are strings and others that are whole numbers"),
        ({True: None}, "binary", {}, "answered with None, which is no number"),
        ("high", "regression", {}, "answered with 'high', which is no number"),
        (2**70, "regression", {}, "which is no number of 64 bits"),
    ],
)
def test_what_is_no_answer_of_the_task_is_not_served(serving, served, answer, kind, more, what):
    with pytest.raises(RequestRefused) as refused:
        ask(serving, served(answer, kind, **more))
    assert (refused.value.kind, refused.value.code) == ("unavailable", "model")
    assert what in refused.value.what


@pytest.mark.parametrize(
    ("answer", "kind", "prediction"),
    [
        ({np.bool_(True): np.float64(0.75), np.bool_(False): np.float32(0.25)}, "binary", True),
        ({np.str_("a"): np.float64(1)}, "multiclass", "a"),
        ({np.int64(7): 1}, "multiclass", 7),
        (np.float64(1.5), "regression", 1.5),
        ({}, "binary", None),
        (None, "regression", None),
    ],
)
def test_numpys_numbers_are_served_as_plain_ones(serving, served, answer, kind, prediction):
    answered = json.loads(serving_bytes(ask(serving, served(answer, kind))))
    assert answered["prediction"] == prediction


def serving_bytes(answer):
    return Resource.answer(answer).body


def test_a_question_over_kafka_is_told_so_too(serving, served):
    answer = answering(serving, served(SystemExit(1)))
    (line,) = asyncio.run(answer([("t.requests/0/1/0", b'{"features": {}, "id": "q"}')]))
    assert (json.loads(line)["code"], json.loads(line)["id"]) == ("model", "q")


def test_the_log_has_the_error_once_a_minute(serving, served, monkeypatch):
    logged = []
    monkeypatch.setattr(module, "log", SimpleNamespace(error=lambda *a, **more: logged.append(more)))
    monkeypatch.setattr(module, "monotonic", iter([0.0, 1.0, 59.0, 61.0]).__next__)
    failing = served(ValueError("no"))
    for _ in range(4):
        with pytest.raises(RequestRefused):
            ask(serving, failing)
    assert len(logged) == 2
    assert all(line["model"] == "own_says:make" and isinstance(line["exc_info"], ValueError) for line in logged)


def test_a_shard_whose_model_answers_with_no_answer_does_not_go_on(served):
    learner = served({"maybe": 1.0})
    learner = learner.shards.answering(0).learner
    message = SimpleNamespace(offset=0, timestamp=0, key=None, value=b'{"features": {"x": 1}, "label": true}')
    with pytest.raises(ModelError, match="the class 'maybe', which is not one of true, false"):
        list(learner.fold(message))
    assert learner.state.position == 0
