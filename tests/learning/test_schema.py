import math

import msgspec
import pytest

from headrace.learning.errors import RecordError
from headrace.learning.records.schema import LARGEST, CheckedFeatures, Schema, find_bad_feature
from headrace.learning.task import Feature, Task

FEATURES = {
    "price": Feature(min=0, max=100),
    "count": Feature(type="int", min=-2),
    "country": Feature(type="string", values=["PT", "ES"]),
    "note": Feature(type="string", optional=True),
    "new": Feature(type="bool"),
}
GOOD = {"price": 12.5, "count": 3, "country": "PT", "new": True}
SCHEMA = Schema(Task(name="ads", kind="binary", features=FEATURES))


def refusal(features):
    with pytest.raises(RecordError) as caught:
        SCHEMA.check(features)
    return str(caught.value)


def test_a_task_that_declares_nothing_takes_any_name():
    Schema(Task(name="ads", kind="binary")).check({"anything": 1, "else": "x"})


def test_a_task_that_declares_no_feature_at_all_takes_none():
    schema = Schema(Task(name="ads", kind="binary", features={}))
    schema.check({})
    with pytest.raises(RecordError, match="'x' is not declared"):
        schema.check({"x": 1})


def test_what_is_declared_is_taken():
    SCHEMA.check(GOOD)
    SCHEMA.check(GOOD | {"note": "anything"})


def test_the_order_of_features_does_not_matter():
    SCHEMA.check(dict(reversed(GOOD.items())))


@pytest.mark.parametrize(
    "change", [{"price": 0}, {"price": 100}, {"price": 100.0}, {"price": -0.0}, {"count": -2}, {"country": "ES"}]
)
def test_bounds_and_listed_values_are_inclusive(change):
    SCHEMA.check(GOOD | change)


def test_a_whole_number_will_do_where_a_float_is_declared():
    SCHEMA.check(GOOD | {"price": 3})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colour": "red"}, "feature 'colour' is not declared. Leave it out, or declare it in headrace.toml."),
        (
            {"price": -0.5},
            "feature 'price' is -0.5; declared are values from 0. Send a value in the range, or widen it in headrace.toml.",
        ),
        (
            {"price": 101},
            "feature 'price' is 101; declared are values up to 100. Send a value in the range, or widen it in headrace.toml.",
        ),
        ({"price": "12.5"}, "feature 'price' is '12.5', not a number. Send a number."),
        ({"price": True}, "feature 'price' is true, not a number. Send a number."),
        ({"count": 3.0}, "feature 'count' is 3.0, not a whole number. Send a whole number."),
        ({"count": True}, "feature 'count' is true, not a whole number. Send a whole number."),
        (
            {"count": -3},
            "feature 'count' is -3; declared are values from -2. Send a value in the range, or widen it in headrace.toml.",
        ),
        ({"country": "FR"}, "feature 'country' is 'FR', not one of PT, ES. Send one of these."),
        ({"country": 1}, "feature 'country' is 1, not a string. Send a string."),
        ({"note": False}, "feature 'note' is false, not a string. Send a string."),
        ({"new": 1}, "feature 'new' is 1, not true or false. Send true or false."),
        ({"new": "true"}, "feature 'new' is 'true', not true or false. Send true or false."),
    ],
)
def test_what_is_not_declared_is_refused_by_name(change, reason):
    assert refusal(GOOD | change) == reason


@pytest.mark.parametrize("name", GOOD)
def test_a_declared_feature_must_be_there_unless_it_is_optional(name):
    short = {other: value for other, value in GOOD.items() if other != name}
    assert refusal(short) == f"feature '{name}' is missing. Send it, or declare it optional."


def test_an_optional_feature_does_not_stand_in_for_one_that_is_missing():
    short = {name: value for name, value in GOOD.items() if name != "new"}
    assert refusal(short | {"note": "x"}).startswith("feature 'new' is missing.")


@pytest.mark.parametrize(
    "features", [GOOD | {"country": "x" * 4_096}, GOOD | {"price": "x" * 4_096}, GOOD | {"new": "x" * 4_096}]
)
def test_a_reason_quotes_the_beginning_of_a_long_string(features):
    assert len(refusal(features)) < 200


@pytest.mark.parametrize("value", [True, 0, 2**63 - 1, -(2**63), 0.5, LARGEST, -LARGEST, "", "x" * 4_096])
def test_any_finite_number_short_string_or_boolean_is_a_feature(value):
    assert msgspec.json.decode(msgspec.json.encode({"x": value}), type=CheckedFeatures) == {"x": value}
    assert find_bad_feature({"x": value}) is None


@pytest.mark.parametrize(
    "value",
    [None, [], {}, 2**63, -(2**63) - 1, LARGEST * 1.01, -LARGEST * 1.01, float("inf"), float("nan"), "x" * 4_097],
)
def test_whatever_the_fast_check_refuses_is_found_by_name(value):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"a": 1, "x": value}, CheckedFeatures)
    assert str(find_bad_feature({"a": 1, "x": value, "z": None})).startswith("feature 'x' is ")


@pytest.mark.parametrize("name", ["", "n" * 257])
def test_a_name_has_1_to_256_characters(name):
    assert str(find_bad_feature({name: 1})).endswith(f"has {len(name)} characters. Use 1 to 256.")
    assert find_bad_feature({"n" * 256: 1}) is None


@pytest.mark.parametrize("features", [None, [], "x", 1])
def test_features_are_an_object(features):
    assert find_bad_feature(features).what == "'features' is not an object."


def test_sums_of_millions_of_squares_of_the_largest_number_are_finite():
    assert math.isfinite(LARGEST**2 * 1e9)


@pytest.mark.parametrize("value", [1767225600000, 1767225600000.5, 1.7e18])
def test_a_date_that_is_no_time_in_seconds_is_refused(value):
    schema = Schema(Task(name="any", kind="binary", features={"at": Feature(step="date")}))
    schema.check({"at": 1767225600})
    with pytest.raises(
        RecordError, match=r"'at' is .*, which looks like (milli|nano)seconds. Send seconds since the epoch."
    ):
        schema.check({"at": value})
    schema.check({"at": -1.0})
