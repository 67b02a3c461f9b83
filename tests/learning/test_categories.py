"""Trees of the catalogue that split by strings."""

import random

import pytest
import zoo

from headrace.learning.errors import ModelError
from headrace.learning.explain import explain
from headrace.learning.fold.checks import try_model
from headrace.learning.models import build
from headrace.learning.models.categories import FEATURES_MAX, LIMIT, Categories
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.task import Task

TREES = ["hoeffding_tree", "hat", "efdt", "arf"]


def crossed(count):
    """Rows whose label is told by two strings together, and by neither alone."""
    dice = random.Random(1)
    for _ in range(count):
        x = {"plan": dice.choice("abc"), "country": dice.choice(["PT", "ES"]), "age": dice.gauss(40, 9)}
        yield x, (x["plan"] == "a") == (x["country"] == "PT")


def accuracy(model, rows):
    right = 0
    for x, y in rows:
        right += model.predict_one(x) == y
        model.learn_one(x, y)
    return right / len(rows)


@pytest.mark.parametrize("name", TREES)
def test_a_tree_that_splits_by_strings_learns_what_two_of_them_say_together(name):
    rows = list(crossed(2_500))
    with_categories = accuracy(build({"use": name, "categories": True, **faster(name)}, "binary"), rows)
    assert with_categories > accuracy(build({"use": name, **faster(name)}, "binary"), rows) + 0.1


def faster(name):
    return {} if name == "arf" else {"grace_period": 50, "delta": 0.1}


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("name", TREES)
def test_it_passes_the_checks_of_a_model(name, kind):
    task = Task(name="t", kind=kind, model={"use": name, "categories": True})
    verdict = try_model(task)
    assert verdict.pure
    assert verdict.warning is None


@pytest.mark.parametrize("name", TREES)
def test_it_comes_back_from_its_bytes_and_asking_changes_nothing(name):
    model, rows = build({"use": name, "categories": True}, "binary"), list(zoo.rows("text", 400))
    for x, y in rows[:300]:
        model.learn_one(x, y)
    read = decode(encode(model))
    before = digest(model)
    for x in ({"place": "never seen"}, {"new": "v", "a": "now a string"}, {}, {"text": 7.0}):
        assert read.predict_proba_one(x) == model.predict_proba_one(x)
    assert digest(read) == digest(model) == before
    for x, y in rows[300:]:
        model.learn_one(x, y)
        read.learn_one(x, y)
    assert digest(read) == digest(model)


def test_categories_are_bounded():
    step = Categories()
    seen = {step.learn_transform_one({"user": f"u{number}"})["user="] for number in range(100_000)}
    assert seen == {f"=u{number}" for number in range(LIMIT)} | {"others"}
    for number in range(2 * FEATURES_MAX):
        step.learn_transform_one({f"f{number}": "v"})
    assert len(step.known) == FEATURES_MAX
    assert step.transform_one({f"f{2 * FEATURES_MAX}": "v"}) == {f"f{2 * FEATURES_MAX}=": "others"}


def test_no_two_features_get_one_name():
    step = Categories()
    x = {"a": 1.0, "b": "1", "b=": "x", "=1=b": "y", "others": "others"}
    assert len(step.learn_transform_one(x)) == 5
    assert step.transform_one({"a": "text"}).keys().isdisjoint(step.transform_one({"a": 1.0}))
    assert set(step.transform_one({"others": "others"}).values()) == {"=others"}


def test_only_trees_have_categories():
    with pytest.raises(ModelError, match="has no parameter 'categories'"):
        build({"use": "logistic", "categories": True}, "binary")
    with pytest.raises(ModelError, match="categories is 'yes'"):
        build({"use": "arf", "categories": "yes"}, "binary")


def test_an_explanation_names_the_branch_of_a_string():
    model = build({"use": "hoeffding_tree", "categories": True, **faster("hoeffding_tree")}, "binary")
    for x, _ in crossed(500):
        model.learn_one(x, x["country"] == "PT")
    (branching,) = explain(model, {"country": "PT"}).path
    assert (branching.feature, branching.value) == ("country=", "=PT")
