"""Explanations add up to what the model itself says, and change nothing."""

import math
import random

import pytest
from river import compose, linear_model, preprocessing

from headrace.learning.encoding import digest
from headrace.learning.explain import LinearExplanation, TreeExplanation, explain, weights_of
from headrace.learning.models import build, names_for

LINEAR = {
    "binary": ["logistic", "alma", "online_linear", "pa"],
    "regression": ["linear", "online_linear"],
}


def samples(kind, count=400):
    dice = random.Random(9)
    for _ in range(count):
        x = {"price": dice.gauss(50, 20), "size": dice.gauss(0, 1), "shop": dice.choice("abc")}
        score = (x["price"] - 50) / 20 + x["size"] + (x["shop"] == "a")
        yield x, {"binary": score > 0, "regression": score, "multiclass": "low" if score < 0 else "high"}[kind]


def taught(name, kind):
    model = build(name, kind)
    for x, y in samples(kind):
        model.learn_one(x, y)
    return model


def sigmoid(score):
    return 1 / (1 + math.exp(-score))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in LINEAR.items() for name in names])
def test_the_contributions_of_a_linear_model_add_up_to_what_it_predicts(kind, name):
    if name not in names_for(kind):
        pytest.skip("the catalogue has no such model")
    model = taught(name, kind)
    x = {"price": 80.0, "size": -0.5, "shop": "b", "never seen": 3.0}
    explained = explain(model, x)
    assert isinstance(explained, LinearExplanation)
    assert explained.score == pytest.approx(
        explained.intercept + sum(part.weight * part.value for part in explained.contributions)
    )
    if kind == "regression":
        assert explained.score == pytest.approx(model.predict_one(x))
    elif name != "pa":  # its probabilities are no logit of its score
        assert sigmoid(explained.score) == pytest.approx(model.predict_proba_one(x)[True])
    else:
        assert (explained.score > 0) == model.predict_one(x)
    assert {part.feature for part in explained.contributions} == {"price", "size", "shop=b", "never seen"}
    sizes = [abs(part.contribution) for part in explained.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_a_softmax_is_explained_by_the_label_that_it_predicts():
    model = taught("softmax", "multiclass")
    x = {"price": 95.0, "size": 1.5, "shop": "a"}
    explained = explain(model, x)
    assert explained.label == model.predict_one(x) == "high"
    others = {label: math.exp(score) for label, score in _scores(model, x).items()}
    assert math.exp(explained.score) / sum(others.values()) == pytest.approx(model.predict_proba_one(x)["high"])
    assert explain(build("softmax", "multiclass"), x) is None


def _scores(model, x):
    scaled = model.step.transform_one(x)
    return {
        label: sum(weights.get(name, 0.0) * value for name, value in scaled.items())
        for label, weights in model.model.weights.items()
    }


@pytest.mark.parametrize(
    ("kind", "name"), [("binary", "hoeffding_tree"), ("binary", "hat"), ("regression", "hoeffding_tree")]
)
def test_the_path_of_a_tree_leads_to_the_leaf_that_answers(kind, name):
    model = build(name if name in names_for(kind) else "hoeffding_regressor", kind)
    for number in range(3000):
        x = {"price": float(number % 10), "shop": "ab"[number % 2]}
        model.learn_one(x, x["price"] > 4 if kind == "binary" else x["price"] * 10)
    low, high = explain(model, {"price": 1.0, "shop": "a"}), explain(model, {"price": 8.0, "shop": "a"})
    assert isinstance(low, TreeExplanation)
    assert low.path[0].feature == high.path[0].feature == "price"
    assert low.path[0].taken != high.path[0].taken
    if kind == "binary":
        assert max(high.seen, key=high.seen.get) == "true"
        assert model.predict_one({"price": 8.0, "shop": "a"}) is True


def test_a_record_without_the_feature_of_a_branch_goes_where_most_went():
    model = build("hoeffding_tree", "binary")
    for number in range(2000):
        model.learn_one({"price": float(number % 10)}, number % 10 > 7)
    (step,) = explain(model, {"other": 1.0}).path
    assert (step.feature, step.value) == ("price", None)
    assert explain(model, {"other": 1.0}).path == [step]
    assert step.taken == explain(model, {"price": 0.0}).path[0].taken


def test_a_pipeline_of_river_is_explained_and_not_changed():
    model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    for number in range(50):
        model.learn_one({"price": float(number)}, number > 20)
    before = dict(model["StandardScaler"].counts)
    explained = explain(model, {"price": 30.0, "new": 1.0})
    assert dict(model["StandardScaler"].counts) == before
    assert sigmoid(explained.score) == pytest.approx(model.predict_proba_one({"price": 30.0})[True])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_to_explain_changes_no_model_of_the_catalogue(kind):
    known = 0
    for name in names_for(kind):
        model = build(name, kind)
        for x, y in samples(kind, 60):
            model.learn_one(x, y)
        before = digest(model)
        known += explain(model, {"price": 1.0, "unknown": 2.0, "shop": "z"}) is not None
        weights_of(model)
        assert digest(model) == before, name
    assert known >= 2


def test_weights_are_listed_with_the_intercept():
    model = taught("logistic", "binary")
    weights = weights_of(model)
    assert set(weights) == {"", "price", "size", "shop=a", "shop=b", "shop=c"}
    assert weights[""] == model.model.intercept
    assert {name.partition(": ")[0] for name in weights_of(taught("softmax", "multiclass"))} == {"low", "high"}
