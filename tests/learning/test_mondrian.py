"""A Mondrian forest is River's to the bit until it has as many nodes as it may; then it stays as large as it is."""

import random

import pytest
from river import forest

from headrace.learning.models import build
from headrace.learning.models.mondrian import MondrianForest, MondrianRegressor
from headrace.learning.snapshot import decode, digest, encode

MODELS = {"mondrian_forest": "multiclass", "mondrian_regressor": "regression"}


def rows(kind, n, features=5, free=False):
    rng = random.Random(7)
    for number in range(n):
        x = {f"f{feature}": rng.gauss(0, 1) for feature in range(features)}
        if free:
            x[f"visitor={number}"] = 1.0
        yield x, x["f0"] + rng.random() if kind == "regression" else rng.choice("abc")


def small(name):
    return build({"use": name, "megabytes": 1, "n_trees": 3}, MODELS[name])


@pytest.mark.parametrize(
    ("ours", "river"),
    [
        (MondrianForest(3, 42), forest.AMFClassifier(3, seed=42)),
        (MondrianRegressor(3, 42), forest.AMFRegressor(3, seed=42)),
    ],
)
def test_below_its_bound_a_forest_is_rivers_to_the_bit(ours, river):
    kind = "regression" if isinstance(ours, MondrianRegressor) else "multiclass"
    ask = "predict_one" if kind == "regression" else "predict_proba_one"
    for x, y in rows(kind, 300):
        asked = x | {"never learned": 3.0}
        assert getattr(ours, ask)(asked) == getattr(river, ask)(asked)
        ours.learn_one(x, y)
        river.learn_one(x, y)
    assert [tree._n_nodes for tree in ours] == [tree._n_nodes for tree in river]
    assert [tree._rng.getstate() for tree in ours] == [tree._rng.getstate() for tree in river]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("free", [False, True])
def test_a_forest_stays_within_its_bound_and_goes_on_learning(name, free):
    model = small(name)
    stream = rows(MODELS[name], 4_000, free=free)
    for x, y in (next(stream) for _ in range(2_500)):
        model.learn_one(x, y)
    nodes, known = [tree._n_nodes for tree in model.model], digest(model)
    for x, y in stream:
        model.learn_one(x, y)
    assert [tree._n_nodes for tree in model.model] == nodes
    assert digest(model) != known
    assert len(encode(model)) < 1_000_000
    assert all(tree._root.n_samples == 4_000 for tree in model.model)


@pytest.mark.parametrize("name", MODELS)
def test_a_full_forest_comes_back_from_its_bytes_and_goes_on_the_same(name):
    model = small(name)
    stream = list(rows(MODELS[name], 2_500, free=True))
    for x, y in stream[:2_000]:
        model.learn_one(x, y)
    copy = decode(encode(model))
    for x, y in stream[2_000:]:
        assert repr(model.predict_one(x)) == repr(copy.predict_one(x))
        model.learn_one(x, y)
        copy.learn_one(x, y)
    assert digest(copy) == digest(model)


@pytest.mark.parametrize("name", MODELS)
def test_asking_a_full_forest_changes_nothing(name):
    model = small(name)
    for x, y in rows(MODELS[name], 1_000, free=True):
        model.learn_one(x, y)
    before = digest(model)
    for number in range(50):
        model.predict_one({f"f{number}": 1.0, f"visitor={number * 100}": 1.0, f"unknown {number}": 1.0})
    assert digest(model) == before


def test_a_row_of_more_features_than_there_is_room_for_is_learned_in_part():
    model = MondrianForest(n_estimators=100, seed=1, megabytes=1)
    model.learn_one({f"f{number}": 1.0 for number in range(5_000)}, True)
    assert 0 < len(model._features) < 5_000
    model.learn_one({"f0": 2.0}, False)
    assert len(encode(model)) < 3_000_000
