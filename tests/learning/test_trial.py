"""The trial finds out at the worker's start what would otherwise stop a shard, or its restart, or change its model unseen."""

import fractions
import random

import msgspec
import pytest
import users_models
from river import feature_extraction, forest, linear_model, neighbors, sketch, stats

from headrace.learning.errors import ModelError
from headrace.learning.fold.checks import try_model
from headrace.learning.fold.generated import questions, samples, shapes
from headrace.learning.metrics import METRICS, Metric
from headrace.learning.metrics.accuracy import accuracy
from headrace.learning.metrics.tallies import Confusion
from headrace.learning.models import build, names_for
from headrace.learning.records import Reader, Record
from headrace.learning.task import Feature, Task, Unanswered, Update

EVERY = [(kind, name) for kind in ("binary", "multiclass", "regression", "anomaly") for name in names_for(kind)]
NUMBER, TEXT = Feature(), Feature(type="string")
SCHEMA = {
    "price": Feature(min=0, max=9.5),
    "from": Feature(min=100),
    "to": Feature(max=-7),
    "count": Feature(type="int", min=-0.5, max=2),
    "any": Feature(type="int"),
    "country": Feature(type="string", values=["PT", "ES"]),
    "text": Feature(type="string", optional=True),
    "new": Feature(type="bool", optional=True),
}


@pytest.fixture
def own(monkeypatch):
    """The verdict on a model that this function makes."""

    def run(make, kind="binary", **more):
        monkeypatch.setattr(users_models, "make", make, raising=False)
        return try_model(Task(name="t", kind=kind, model="users_models:make", **more))

    return run


# What may be used.


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_model_of_the_catalogue_passes(kind, name):
    task = Task(name="t", kind=kind, model=name)
    verdict = try_model(task)
    assert verdict.pure
    assert verdict.warning is None
    assert try_model(task) == verdict


@pytest.mark.parametrize(
    "more",
    [
        {"features": SCHEMA},
        {"order": "event_time", "lateness": "30d"},
        {"update": Update(every="1h")},
        {"unanswered": Unanswered(assume=7), "kind": "multiclass"},
        {"labels": ["x", "y"], "kind": "multiclass"},
        {"labels": [0, 1, 2], "kind": "multiclass", "features": SCHEMA},
    ],
)
def test_what_else_a_task_declares_is_no_hindrance(more):
    kind = more.get("kind", "binary")
    assert try_model(Task(name="t", **{"kind": kind, **more})).pure


def test_a_model_that_is_changed_by_questions_is_told(own):
    verdict = own(users_models.scaled, features={"a": NUMBER})
    assert not verdict.pure
    assert verdict.warning is None
    by_shop = lambda: feature_extraction.TargetAgg(by="shop", how=stats.Mean()) | linear_model.LinearRegression()  # noqa: E731
    assert not own(by_shop, "regression", features={"shop": TEXT}).pure
    assert not own(by_shop, "regression").pure


def test_a_model_that_only_unknown_features_change_is_pure_where_they_are_refused(own):
    assert own(users_models.Notes, features={"a": NUMBER}).pure
    assert not own(users_models.Notes).pure


def test_a_model_that_takes_numbers_alone_passes_with_a_warning(own):
    verdict = own(users_models.scaled)
    assert "'users_models:make' raised TypeError" in verdict.warning
    assert "Declare `features`" in verdict.warning


def test_a_feature_that_a_model_needs_is_found_out(own):
    verdict = own(users_models.words)
    assert "raised KeyError: 'text'" in verdict.warning


# What must not be.


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (
            users_models.with_lambda,
            "cannot be saved and loaded",
        ),
        (users_models.Maybe, "answered with the class 'maybe', which is not one of true, false"),
        (
            users_models.Forgetful,
            "cannot be saved and loaded: the state cannot be saved: it holds a users_models.Forgetful",
        ),
        (users_models.Hidden, "goes on otherwise once it has been saved and loaded"),
    ],
)
def test_what_fails_is_refused_with_model_reason_and_remedy(own, make, what):
    with pytest.raises(ModelError, match=what) as raised:
        own(make)
    assert "'users_models:make'" in raised.value.what
    assert raised.value.remedy


@pytest.mark.parametrize("which", range(len(users_models.Raising.errors)))
@pytest.mark.parametrize("features", [None, {"a": NUMBER}])
def test_whatever_a_model_raises_is_a_reason(own, which, features):
    name = type(users_models.Raising.errors[which]).__name__
    with pytest.raises(ModelError, match=f"'users_models:make' raised {name}"):
        own(lambda: users_models.Raising(which), features=features)


def test_strings_that_a_schema_lets_through_must_be_taken(own):
    with pytest.raises(ModelError, match="raised TypeError.*Mend the model"):
        own(users_models.scaled, features={"a": TEXT})


@pytest.mark.parametrize(
    "make",
    [
        neighbors.KNNClassifier,
        forest.ARFClassifier,
        users_models.unseeded,
    ],
)
def test_what_is_not_seeded_comes_to_another_digest(own, make):
    assert own(make).digest != own(make).digest


# The rows.


@pytest.mark.parametrize("features", [None, SCHEMA])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "anomaly"])
def test_generated_rows_are_what_the_task_lets_through(kind, features):
    task = Task(name="t", kind=kind, features=features)
    reader = Reader(task)
    for shape in shapes(task):
        rows = list(samples(task, shape, 200))
        for x, y in rows:
            assert isinstance(reader.read_record(msgspec.json.encode({"features": x, "label": y})), Record)
        for x in questions(task, shape):
            reader.schema.check(x)
        assert rows == list(samples(task, shape, 200))
        if kind != "regression":
            assert len({y for _, y in rows}) == (3 if kind == "multiclass" else 2)


def test_where_no_features_are_declared_some_are_missing_some_new_and_of_every_type():
    task = Task(name="t", kind="binary")
    rows = [x for x, _ in samples(task, shapes(task)[0], 200)]
    assert {type(value) for x in rows for value in x.values()} == {bool, int, float, str}
    assert len({name for x in rows for name in x}) > 10
    assert min(map(len, rows)) < max(map(len, rows))


def test_a_trial_of_a_task_uses_the_parameters_of_its_model():
    one, other = ({"use": "logistic", "learning_rate": rate} for rate in (0.1, 0.2))
    assert try_model(Task(name="t", kind="binary", model=one)) != try_model(Task(name="t", kind="binary", model=other))
    assert build(one, "binary")


def test_a_bag_of_words_of_one_feature_may_be_used(own):
    verdict = own(users_models.bag, features={"text": Feature(type="string")})
    assert verdict.warning is None


def test_classes_of_other_modules_may_be_used_if_the_module_lists_them(own, monkeypatch):
    with pytest.raises(ModelError, match=r"its state holds river\.sketch\.counter:Counter") as refusal:
        own(users_models.Counting)
    assert "HEADRACE_STATE" in refusal.value.remedy
    monkeypatch.setattr(users_models, "HEADRACE_STATE", [sketch.Counter], raising=False)
    assert own(users_models.Counting).pure


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (sketch.Counter, "HEADRACE_STATE is no list"),
        (["river.sketch.Counter"], "holds 'river.sketch.Counter', which is no class"),
    ],
)
def test_what_a_module_lists_for_its_state_is_a_list_of_classes_and_functions(own, monkeypatch, declared, why):
    monkeypatch.setattr(users_models, "HEADRACE_STATE", declared, raising=False)
    with pytest.raises(ModelError, match=why):
        own(users_models.scaled)


class Fractional(users_models.Half):
    """Keeps a number of a class that says itself how it is taken apart."""

    def __init__(self):
        self.half = fractions.Fraction(1, 2)


class Dicing(users_models.Half):
    """Draws without a seed."""

    def learn_one(self, x, y):
        self.drawn = random.random()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Fractional, "a fractions.Fraction, whose class has a __reduce__ of its own"),
        (Dicing, "is another one each time"),
    ],
)
def test_why_a_model_cannot_be_saved_or_repeated_is_said(own, monkeypatch, make, why):
    monkeypatch.setattr(users_models, "HEADRACE_STATE", [fractions.Fraction, Fractional, Dicing], raising=False)
    with pytest.raises(ModelError, match=why):
        own(make)


class Untagged(Confusion):
    """A tally whose class has no tag."""

    name = "untagged"


def test_a_metric_that_was_added_without_a_tag_is_noticed_before_a_worker_learns_anything(monkeypatch):
    monkeypatch.setitem(METRICS, "untagged", {"binary": Metric(Untagged, accuracy)})
    with pytest.raises(ModelError, match=r"its state holds .*:Untagged"):
        try_model(Task(name="t", kind="binary", model="logistic"))
