"""Names of prepared features: no two features have one name, and nothing is renamed without need."""

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from headrace.learning.models import build
from headrace.learning.models.preparing import OneHot, Scale

NAMES = st.text("ab=3", min_size=1, max_size=6)
VALUES = st.just(1.0) | st.text("ab=3", max_size=6)
STEPS = [OneHot(), Scale()]


@pytest.mark.parametrize("step", STEPS)
@given(one=st.tuples(NAMES, VALUES), other=st.tuples(NAMES, VALUES))
@example(("a=b", "c"), ("a", "b=c"))
@example(("a=b", 1.0), ("a", "b"))
def test_two_features_never_have_one_name(step, one, other):
    for transform in (step.transform_one, step.learn_transform_one):
        names = [next(iter(transform(dict([feature])))) for feature in (one, other)]
        assert (names[0] == names[1]) == (one == other)


@pytest.mark.parametrize("step", STEPS)
def test_the_features_of_one_record_are_all_kept_in_their_order(step):
    x = {"a=b": "c", "a": "b=c", "b=": 1.0, "b": "", "c": 2.0}
    for transform in (step.transform_one, step.learn_transform_one):
        assert list(transform(x)) == ["=3=a=b=c", "a=b=c", "=2=b=", "b=", "c"]


@pytest.mark.parametrize("step", STEPS)
def test_a_name_without_an_equals_sign_stays_what_it_was(step):
    x = {"country": "PT=x", "price": 1.0, "ä b": True}
    assert list(step.transform_one(x)) == ["country=PT=x", "price", "ä b"]


def test_features_without_strings_and_equals_signs_are_passed_on_as_they_are():
    x = {"a": 1.0, "b": True}
    assert OneHot().transform_one(x) is x


def test_a_model_tells_features_apart_that_had_one_name():
    model = build("logistic", "binary")
    for _ in range(200):
        model.learn_one({"a=b": "c"}, True)
        model.learn_one({"a": "b=c"}, False)
    assert model.predict_one({"a=b": "c"}) is True
    assert model.predict_one({"a": "b=c"}) is False
