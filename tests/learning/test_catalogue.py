"""A row of a catalogue is all that a new name takes."""

import msgspec
import pytest
from river import dummy

from headrace.learning.commands import COMMANDS, Command
from headrace.learning.control_record import Arguments
from headrace.learning.drift import DETECTORS, Change
from headrace.learning.effects import Drift, Quarantined
from headrace.learning.errors import ModelError
from headrace.learning.fold.learner import Learner
from headrace.learning.metrics import METRICS, Metric
from headrace.learning.metrics.tallies import Confusion
from headrace.learning.models import MODELS, build, names_for
from headrace.learning.task import Task


class Message(msgspec.Struct):
    offset: int
    value: bytes
    timestamp: int = 0
    key: bytes | None = None


SAMPLE = b'{"features": {"x": 1.0}, "label": true}'


def fold(learner, *values):
    effects = []
    for value in values:
        for arisen in learner.fold(Message(learner.state.position, value)):
            effects += arisen
    return effects


def test_a_row_of_models_is_a_model_that_a_task_may_name(monkeypatch):
    with pytest.raises(ModelError, match="there is no model 'prior'"):
        build("prior", "binary")
    monkeypatch.setitem(MODELS, "prior", {"binary": dummy.PriorClassifier})
    assert names_for("binary")[-1] == "prior"
    assert "prior" not in names_for("regression")
    learner = Learner(Task(name="ads", kind="binary", model="prior"), 0)
    fold(learner, SAMPLE)
    assert type(learner.champion.model) is dummy.PriorClassifier
    assert learner.champion.predict({}).probabilities[True] == 1


def count(table):
    return float(table.total)


def test_a_row_of_metrics_is_a_figure_of_every_arm(monkeypatch):
    monkeypatch.setitem(METRICS, "count", {"binary": Metric(Confusion, count)})
    learner = Learner(Task(name="ads", kind="binary", model="no_change"), 0)
    fold(learner, SAMPLE, SAMPLE, SAMPLE)
    figures = learner.describe()["arms"]["champion"]["metrics"]
    assert figures["count"] == figures["window"]["count"] == 2
    assert learner.describe()["served"]["count"] is None
    assert "count" not in Learner(Task(name="ads", kind="regression"), 0).describe()["served"]


class EveryThird:
    name = "every_third"
    takes = frozenset({"shares", "numbers"})

    def __init__(self):
        self.errors = []

    def update(self, error):
        self.errors.append(error)
        return None if len(self.errors) % 3 else Change(0.0, error, 2, 1)


def test_a_row_of_detectors_is_a_detector_that_an_arm_can_have(monkeypatch):
    monkeypatch.setitem(DETECTORS, "every_third", EveryThird)
    learner = Learner(Task(name="ads", kind="binary", model="no_change", detectors=[{"use": "every_third"}]), 0)
    effects = fold(learner, *[SAMPLE] * 8)
    assert [(drift.detector, drift.id) for drift in effects if isinstance(drift, Drift)] == [
        ("every_third", "ads/0/3/0/0"),
        ("every_third", "ads/0/6/0/0"),
    ]


class Wave(Arguments, frozen=True, kw_only=True):
    to: str


def wave(state, turn, arguments):
    state.skipped += 1
    turn.alert("waved", f"waved to {arguments.to} at {turn.origin.offset}")
    return "waved"


def test_a_row_of_commands_is_a_command_that_a_control_record_may_name(monkeypatch):
    learner = Learner(Task(name="ads", kind="binary"), 0)
    record = b'{"control": "wave", "to": "me"}'
    (refused,) = fold(learner, record)
    assert isinstance(refused, Quarantined)
    assert (refused.code, refused.value) == ("control", record)
    monkeypatch.setitem(COMMANDS, "wave", Command(Wave, wave))
    waved, acted = fold(learner, record)
    assert (waved.id, waved.code, waved.detail) == ("ads/0/1/0/0", "waved", "waved to me at 1")
    assert (acted.command, acted.did) == ("wave", "waved")
    assert (learner.state.quarantined, learner.state.skipped, learner.state.position) == (1, 1, 2)
