import json
import random
import sys
from types import ModuleType, SimpleNamespace

import pytest
from river import compose, datasets, evaluate, forest, linear_model, metrics, optim, preprocessing, tree
from thorough import only_thorough, some

from headrace.learning.arms.arm import Arm
from headrace.learning.errors import ModelError
from headrace.learning.fold.learner import Learner
from headrace.learning.models import MODELS, build, hoeffding, names_for
from headrace.learning.models.preparing import OneHot, Prepared, Scale
from headrace.learning.prediction import Prediction
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.task import Task

EVERY = [(kind, name) for kind in ("binary", "multiclass", "regression", "anomaly") for name in names_for(kind)]
NAMES = ["a", "b", "c", "d", "a=x", "a name", "e"]
LABELS = [7, 15, 23, 31, 39, "a", "b", "7"]
"""Labels that a set walks in another order once it has been read back from bytes."""


def features(rng, names=NAMES, largest=2.0**64):
    """Any mixture of numbers, booleans and strings; a name may hold a number now and a string next. One in twenty is empty."""
    if rng.random() < 0.05:
        return {}
    chosen = rng.sample(names, rng.randrange(1, len(names) + 1))
    extremes = [0.0, -0.0, largest, -largest, 2**63 - 1, -(2**63), 5e-324, 1e-300]
    values = [
        lambda: rng.gauss(0, 1),
        lambda: rng.randrange(5),
        lambda: rng.random() < 0.5,
        lambda: rng.choice(["x", "y", "a longer text", ""]),
        lambda: rng.choice(extremes),
    ]
    return {name: rng.choice(values)() for name in chosen}


def answer(kind, rng, x):
    if kind == "multiclass":
        return rng.choice(LABELS)
    if kind in ("binary", "anomaly"):
        return rng.random() < (0.9 if x.get("a") == "x" else 0.3)
    return rng.choice([rng.gauss(0, 1), 3, 2.0**64, -(2**63), 1e-300])


def rows(kind, n, seed=0):
    rng = random.Random(seed)
    return [(x, answer(kind, rng, x)) for x in (features(rng) for _ in range(n))]


def learn(arm, x, y):
    """Learn as the fold does: a detector of anomalies never sees a label."""
    arm.learn(x, None if arm.scoreboard.kind == "anomaly" else y)


def length(name):
    return some(
        {"mondrian_forest": 150, "mondrian_regressor": 150, "arf": 250, "half_space_trees": 1_200}.get(name, 600), of=2
    )


# What can be asked for.


def test_a_name_or_a_table_makes_a_model():
    assert build("logistic", "binary").model.optimizer.learning_rate == 0.005
    assert build({"use": "logistic", "learning_rate": 0.05}, "binary").model.optimizer.learning_rate == 0.05


def test_a_number_means_the_same_with_and_without_a_point():
    assert digest(build({"use": "logistic", "learning_rate": 1}, "binary")) == digest(
        build({"use": "logistic", "learning_rate": 1.0}, "binary")
    )


def test_every_kind_has_models_and_every_model_a_documented_function():
    assert {name for _, name in EVERY} == set(MODELS)
    for makers in MODELS.values():
        for make in makers.values():
            assert ">>> " in make.__doc__


@pytest.mark.parametrize(
    ("spec", "kind", "what", "remedy"),
    [
        ("logstic", "binary", "there is no model 'logstic'", "Did you mean 'logistic'?"),
        ("linear", "anomaly", "'linear' is not for anomaly tasks", "Use one of half_space_trees, "),
        ({"use": "quantile", "side": "left"}, "anomaly", "side is 'left'", ""),
        ("zzz", "regression", "there is no model 'zzz'", "There are linear, "),
        ("linear", "binary", "'linear' is not for binary tasks", "Use one of logistic, "),
        ({"learning_rate": 1.0}, "binary", "has no name", "Set use to one of logistic, "),
        (
            {"use": "logistic", "learning_rat": 1.0},
            "binary",
            "no parameter 'learning_rat'",
            "Did you mean 'learning_rate'?",
        ),
        ({"use": "naive_bayes", "depth": 1}, "binary", "no parameter 'depth'", "It takes none."),
        ({"use": "logistic", "learning_rate": 0.0}, "binary", "learning_rate is 0.0", "It takes a number above 0.0."),
        ({"use": "logistic", "learning_rate": "fast"}, "binary", "learning_rate is 'fast'", "It takes a number."),
        (
            {"use": "logistic", "learning_rate": float("nan")},
            "binary",
            "learning_rate is nan",
            "It takes a number above 0.0.",
        ),
        ({"use": "logistic", "l2": float("inf")}, "binary", "l2 is inf", "It takes a number up to "),
        ({"use": "logistic", "l2": True}, "binary", "l2 is True", "It takes a number."),
        ({"use": "arf", "n_trees": 0}, "multiclass", "n_trees is 0", "It takes a whole number from 1."),
        ({"use": "arf", "n_trees": 2.5}, "multiclass", "n_trees is 2.5", "It takes a whole number."),
        ({"use": "pa", "mode": 3}, "binary", "mode is 3", ""),
        ({"use": "alma", "p": 1}, "binary", "p is 1", "It takes a whole number from 2."),
        ("nowhere.at.all:make", "binary", "'nowhere.at.all:make' cannot be imported", "Put nowhere/at/all.py beside"),
        ("headrace.learning.models:buidl", "binary", "has no function 'buidl'", "Did you mean 'build'?"),
        ("headrace.learning.models:xyzzy", "binary", "has no function 'xyzzy'", "Name a function"),
        ("headrace.learning.models:MODELS", "binary", "is not a function", "Name a function"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_remedy(spec, kind, what, remedy):
    with pytest.raises(ModelError) as raised:
        build(spec, kind)
    assert what in raised.value.what
    assert remedy in raised.value.remedy
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("line", "what", "remedy"),
    [
        ("import nowhere_at_all", "there is no module 'nowhere_at_all'", "Install nowhere_at_all, which "),
        ("1 / 0", "division by zero", "Correct the module"),
        ("from json import nothing", "cannot import name 'nothing'", "Correct the module"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_from_one_that_is_not_there(tmp_path, monkeypatch, line, what, remedy):
    name = f"module_{abs(hash(line))}"
    (tmp_path / f"{name}.py").write_text(f"{line}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError) as raised:
        build(f"{name}:make", "binary")
    assert what in raised.value.what
    assert raised.value.remedy.startswith(remedy)


@pytest.fixture
def own(monkeypatch):
    module = ModuleType("own_models")
    monkeypatch.setitem(sys.modules, "own_models", module)
    return module


def test_a_function_of_the_users_makes_a_model(own):
    own.make = lambda rate=0.1: preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(rate))
    model = build({"use": "own_models:make", "rate": 0.5}, "binary")
    assert model["LogisticRegression"].optimizer.learning_rate == 0.5


def test_a_function_of_the_users_may_build_upon_the_catalogue(own):
    own.make = lambda: build("naive_bayes", "multiclass")
    assert isinstance(build("own_models:make", "multiclass"), Prepared)
    own.make = lambda: build("logistic", "binary")
    assert isinstance(build("own_models:make", "binary"), Prepared)
    with pytest.raises(ModelError, match="knows two classes only"):
        build("own_models:make", "multiclass")


def test_rivers_own_evaluation_takes_a_model_of_the_catalogue():
    accuracy = evaluate.progressive_val_score(datasets.Phishing(), build("logistic", "binary"), metrics.Accuracy())
    assert round(accuracy.get(), 6) == 0.887200


@pytest.mark.parametrize(
    ("make", "kind", "what"),
    [
        (linear_model.LinearRegression, "binary", "gave a LinearRegression, which is not for binary tasks"),
        (linear_model.LogisticRegression, "regression", "gave a LogisticRegression, which is not for regression tasks"),
        (linear_model.LogisticRegression, "multiclass", "gave a LogisticRegression, which knows two classes only"),
        (linear_model.LogisticRegression, "anomaly", "gave a LogisticRegression, which is not for anomaly tasks"),
        (preprocessing.StandardScaler, "binary", "gave a StandardScaler, which is not for binary tasks"),
        (lambda: None, "binary", "gave a NoneType, which is not for binary tasks"),
        (lambda: 1 / 0, "binary", "cannot be built: division by zero"),
    ],
)
def test_a_function_that_gives_no_model_of_the_kind_is_refused(own, make, kind, what):
    own.make = make
    with pytest.raises(ModelError, match=what):
        build("own_models:make", kind)


# What goes in.


@pytest.mark.parametrize(("kind", "name"), EVERY)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=only_thorough)])
def test_any_mixture_of_features_is_learned_and_answered(kind, name, seed):
    arm, answered = Arm(Task(name="t", kind=kind, model=name), role="champion"), 0
    for x, y in rows(kind, length(name), seed):
        prediction = arm.predict(x)
        if prediction is not None:
            answered += 1
            assert (prediction.probabilities is None) == (kind in ("regression", "anomaly"))
            assert (prediction.score is None) == (kind != "anomaly")
            if kind == "anomaly":
                assert 0.0 <= prediction.score <= 1.0
            elif kind != "regression":
                assert sum(prediction.probabilities.values()) == pytest.approx(1)
        arm.score(prediction, y)
        learn(arm, x, y)
    assert answered > length(name) // 2, "a model that is cold may have no answer"
    assert isinstance(arm.predict({}), Prediction)


def test_strings_become_features_of_their_own_and_order_is_kept():
    x = {"b": "x", "a": 1.0, "c": True, "d": ""}
    assert list(OneHot().transform_one(x).items()) == [("b=x", 1.0), ("a", 1.0), ("c", True), ("d=", 1.0)]
    assert list(Scale().transform_one(x)) == ["b=x", "a", "c", "d="]


def test_a_string_tells_a_scaled_model_something():
    model = build("logistic", "binary")
    for number in range(500):
        model.learn_one({"country": "PT" if number % 2 else "ES", "price": 1.0}, bool(number % 2))
    assert model.predict_one({"country": "PT", "price": 1.0}) is True
    assert model.predict_one({"country": "ES", "price": 1.0}) is False


@pytest.mark.parametrize("data", [datasets.Phishing, datasets.ImageSegments, datasets.TrumpApproval])
def test_numbers_are_scaled_as_river_does_to_the_bit(data):
    ours, river = Scale(), preprocessing.StandardScaler()
    for x, _ in data():
        assert ours.transform_one(x) == river.transform_one(x)
        river.learn_one(x)
        assert ours.learn_transform_one(x) == river.transform_one(x)
    assert {name: seen[1] for name, seen in ours.seen.items()} == dict(river.means)
    assert {name: seen[2] for name, seen in ours.seen.items()} == dict(river.vars)


def test_booleans_and_large_whole_numbers_are_scaled_as_river_does():
    ours, river = Scale(), preprocessing.StandardScaler()
    for x in ({"a": True, "b": 2**63 - 1}, {"a": False, "b": -(2**63)}, {"a": -0.0, "b": 2**53 + 1}, {"b": 5e-324}):
        river.learn_one(x)
        assert ours.learn_transform_one(x) == river.transform_one(x)


# Reading changes nothing.


def read(arm, n):
    rng = random.Random(99)
    for number in range(n):
        arm.predict(features(rng, [*NAMES, f"unknown {number}"]))


def read_cold_and_warm(arm, kind, n):
    digests = [digest(arm)]
    read(arm, 50)
    digests.append(digest(arm))
    for x, y in rows(kind, n):
        learn(arm, x, y)
    digests.append(digest(arm))
    read(arm, some(1_000))
    return [*digests, digest(arm)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_reading_changes_nothing(kind, name):
    arm = Arm(Task(name="t", kind=kind, model=name), role="champion")
    cold, cold_after, warm, warm_after = read_cold_and_warm(arm, kind, length(name) // 2)
    assert cold == cold_after
    assert warm == warm_after
    assert cold != warm


def test_the_parts_of_river_that_reading_changes_are_noticed():
    arm = Arm(Task(name="t", kind="binary"), role="champion")
    arm.model = compose.Pipeline(OneHot(), preprocessing.StandardScaler(), linear_model.LogisticRegression())
    *_, warm, warm_after = read_cold_and_warm(arm, "binary", 50)
    assert warm != warm_after
    arm.model = compose.Pipeline(OneHot(), forest.ARFClassifier(seed=42))
    cold, cold_after, *_ = read_cold_and_warm(arm, "binary", 50)
    assert cold != cold_after


def test_the_forest_is_shaped_by_the_first_record_with_features():
    forest_of_ours = build("arf", "binary")
    forest_of_ours.learn_one({}, True)
    forest_of_ours.learn_one({f"f{number}": 1.0 for number in range(16)}, True)
    assert forest_of_ours.model.max_features == 4


# Back from bytes.


def part_after_reloading(arm, kind, n):
    """The number of the record at which a model that is read back from bytes every so often parts from one that is not; or None."""
    copy = arm
    for number, (x, y) in enumerate(rows(kind, n, seed=5)):
        if number % 37 == 20:
            copy = decode(encode(copy))
        ours, theirs = arm.predict(x), copy.predict(x)
        learn(arm, x, y)
        if copy is not arm:
            learn(copy, x, y)
        if repr(ours) != repr(theirs):  # the order of the classes counts: it decides ties
            return number
    return None if digest(copy) == digest(arm) else n


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_model_that_comes_back_from_its_bytes_goes_on_the_same(kind, name):
    arm = Arm(Task(name="t", kind=kind, model=name), role="champion")
    assert part_after_reloading(arm, kind, length(name)) is None


@pytest.mark.parametrize("model", [tree.HoeffdingAdaptiveTreeClassifier(seed=1), forest.AMFClassifier(seed=1)])
def test_a_model_that_keeps_its_classes_in_a_set_is_noticed(model):
    arm = Arm(Task(name="t", kind="multiclass"), role="champion")
    arm.model = compose.Pipeline(OneHot(), model)
    assert part_after_reloading(arm, "multiclass", 100) is not None


def test_a_tree_stops_growing_at_a_number_of_leaves(monkeypatch):
    monkeypatch.setattr(hoeffding, "LEAVES", 3)
    model = build({"use": "hoeffding_tree", "grace_period": 20, "delta": 0.5}, "binary")
    model.model.memory_estimate_period = 100
    rng = random.Random(3)
    for _ in range(5_000):
        x = {name: rng.random() for name in "abcd"}
        model.learn_one(x, (x["a"] > 0.5) != (x["b"] > 0.5))
    assert 3 <= model.model.n_leaves <= 8
    assert model.model._growth_allowed is False


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("linear", {"learning_rate": 1e9, "l2": 1e9}),
        ("linear", {"learning_rate": 50.0}),
        ("online_linear", {"learning_rate": 1e9, "l2": 1e9, "clip": 1e9}),
        ("hoeffding_regressor", {"grace_period": 1, "delta": 1.0}),
    ],
)
def test_a_regression_that_runs_away_raises_nothing(name, parameters):
    learner = Learner(Task(name="t", kind="regression", model={"use": name, **parameters}), partition=0)
    for offset, (x, y) in enumerate(rows("regression", 400)):
        value = json.dumps({"features": x, "label": y}).encode()
        for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=0, key=None, value=value)):
            pass
    assert learner.state.updates == 400
    learner.champion.scoreboard.values()
