import math
import pickle
import sys
from types import ModuleType

import pytest
from river import checks

from headrace.learning.models.online_linear import INITIAL, OnlineLinearClassifier, OnlineLinearRegressor
from headrace.learning.snapshot import digest

MODELS = [OnlineLinearClassifier(), OnlineLinearRegressor()]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_it_passes_the_checks_that_river_runs_over_its_own(model, monkeypatch):
    sklearn = ModuleType("sklearn")
    sklearn.datasets = ModuleType("sklearn.datasets")  # imported by the checks for data sets of other kinds of model
    monkeypatch.setitem(sys.modules, "sklearn", sklearn)
    ran = []
    for check in checks.yield_checks(model):
        check(model.clone())
        ran.append(check.__name__)
    assert {"check_pickling", "check_predict_one_pure", "check_emerging_features", "check_clone_is_independent"} <= {
        *ran
    }


def descend(rows, gradient, learning_rate, l2, momentum, clip):
    """The same method in plain Python."""
    weights, velocity, intercept, intercept_velocity = {}, {}, 0.0, 0.0
    for x, y in rows:
        slope = gradient(intercept + sum(weights.get(name, 0.0) * value for name, value in x.items()), y)
        for name, value in x.items():
            step = max(-clip, min(clip, slope * value + l2 * weights.get(name, 0.0)))
            velocity[name] = momentum * velocity.get(name, 0.0) + step
            weights[name] = weights.get(name, 0.0) - learning_rate * velocity[name]
        intercept_velocity = momentum * intercept_velocity + max(-clip, min(clip, slope))
        intercept -= learning_rate * intercept_velocity
    return weights, intercept


@pytest.mark.parametrize(
    "settings", [(0.1, 0.0, 0.0, 1e3), (0.1, 0.01, 0.0, 1e3), (0.05, 0.01, 0.9, 1e3), (0.1, 0.0, 0.5, 0.2)]
)
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_it_is_gradient_descent(kind, settings):
    rows = [({f"f{j}": math.sin(i * (j + 1)) for j in range(i % 5)}, math.cos(i)) for i in range(200)]
    if kind == "binary":
        rows = [(x, y > 0) for x, y in rows]
        model, gradient = OnlineLinearClassifier(*settings), lambda raw, y: 1 / (1 + math.exp(-raw)) - y
    else:
        model, gradient = OnlineLinearRegressor(*settings), lambda raw, y: raw - y
    for x, y in rows:
        model.learn_one(x, y)
    weights, intercept = descend(rows, gradient, *settings)
    assert model.weights == pytest.approx(weights, rel=1e-9)
    assert model.intercept == pytest.approx(intercept, rel=1e-9)


def half_square(raw, y):
    return (raw - y) ** 2 / 2


def log_loss(raw, y):
    return math.log1p(math.exp(-raw if y else raw))


@pytest.mark.parametrize(("make", "loss"), [(OnlineLinearClassifier, log_loss), (OnlineLinearRegressor, half_square)])
@pytest.mark.parametrize("y", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_a_step_is_down_the_slope_of_the_loss_measured_by_differences(make, loss, y, l2):
    x, model, rate, h = {"a": 1.5, "b": -0.7, "c": 0.0}, make(0.1, l2), 0.1, 1e-6
    for number in range(7):
        model.learn_one({name: value + number / 9 for name, value in x.items()}, number % 2)
    weights, intercept = model.weights, model.intercept

    def cost(weights, intercept):
        raw = intercept + sum(weights[name] * value for name, value in x.items())
        return loss(raw, y) + l2 / 2 * sum(weight**2 for weight in weights.values())

    model.learn_one(x, y)
    for name, weight in weights.items():
        slope = (cost(weights | {name: weight + h}, intercept) - cost(weights | {name: weight - h}, intercept)) / (
            2 * h
        )
        assert model.weights[name] == pytest.approx(weight - rate * slope, abs=1e-8)
    slope = (cost(weights, intercept + h) - cost(weights, intercept - h)) / (2 * h)
    assert model.intercept == pytest.approx(intercept - rate * slope, abs=1e-8)


def test_features_beyond_its_first_places_are_learned():
    model = OnlineLinearRegressor()
    for number in range(5 * INITIAL):
        model.learn_one({f"f{number}": 1.0}, 1.0)
    assert list(model.weights) == [f"f{number}" for number in range(5 * INITIAL)]
    assert all(weight > 0 for weight in model.weights.values())


def test_an_unknown_feature_counts_nothing_and_is_not_remembered():
    model = OnlineLinearRegressor()
    model.learn_one({"known": 1.0}, 1.0)
    before = digest(model)
    assert model.predict_one({"known": 1.0, "unknown": 1e9}) == model.predict_one({"known": 1.0})
    assert model.predict_one({"unknown": 1e9}) == model.predict_one({}) == model.intercept
    assert digest(model) == before


def test_a_gradient_is_limited():
    model = OnlineLinearRegressor(learning_rate=1.0, clip=0.5)
    model.learn_one({"huge": 1e18}, -1e18)
    assert model.weights == {"huge": -0.5}
    assert model.intercept == -0.5


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_copy_from_bytes_goes_on_as_the_original(model):
    model = model.clone()
    for number in range(40):
        model.learn_one({f"f{number % 20}": number / 7}, number % 3 == 0)
    copy = pickle.loads(pickle.dumps(model))
    for number in range(40):
        x, y = {f"f{number}": number / 11}, number % 2 == 0
        assert copy.predict_one(x) == model.predict_one(x)
        model.learn_one(x, y)
        copy.learn_one(x, y)
    assert digest(copy) == digest(model)
