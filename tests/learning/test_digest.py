import hashlib
import math
import pickle
import random
import struct
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import compose, linear_model, preprocessing, proba, tree
from thorough import IS_THOROUGH

from headrace.learning.errors import SnapshotError
from headrace.learning.snapshot import decode, digest, encode

NAN = struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0]


class Point:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("left", "right")


class Mixed(Slotted):
    """Slots and a dict."""


class NamedRow(NamedTuple):
    value: int


def slotted(kind, **attributes):
    made = kind()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


class TestWhatDiffers:
    """Each pair is equal for Python, or nearly so, and not as a state."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (1, 1.0),
            (1, True),
            (1.0, True),
            (0, False),
            (0.0, -0.0),
            (float("nan"), NAN),
            (1.0, math.nextafter(1.0, 2)),
            ("1", 1),
            ("a", b"a"),
            (b"a", bytearray(b"a")),
            (None, ()),
            ((), []),
            ([], {}),
            ([1], (1,)),
            ({}, set()),
            (set(), frozenset()),
            ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
            ({1: "a"}, {True: "a"}),
            ({"a": 1}, OrderedDict(a=1)),
            ({"a": 1}, Counter(a=1)),
            ({"a": 1}, defaultdict(int, a=1)),
            (defaultdict(int), defaultdict(float)),
            (defaultdict(int), defaultdict(None)),
            (deque([1]), [1]),
            (deque([1], maxlen=2), deque([1], maxlen=3)),
            ([[1], [2]], [[1, 2], []]),
            ([[], [[]]], [[[]], []]),
            ([(1, 2), (3,)], [(1,), (2, 3)]),
            ([(1, 2)], [("t", 1, 2)]),
            ([("t", 1)], [(1,)]),
            ({1}, {1.0}),
            ({1}, {"1"}),
            ({(1, 2)}, {(2, 1)}),
            (10**30, 10**30 + 1),
            (10**30, 1e30),
            ("", "\0"),
            (np.zeros(2), [0.0, 0.0]),
            (np.zeros(2), np.zeros(2, dtype="f4")),
            (np.zeros(4), np.zeros((2, 2))),
            (np.zeros((2, 3)), np.zeros((2, 3), order="F")),
            (NamedRow(1), (1,)),
            (str.lower, str.upper),
            (np.array([0.0]), np.array([-0.0])),
            (np.float64(1), 1.0),
            (np.float64(1), np.float32(1)),
            (random.Random(1), random.Random(2)),
            (Point(a=1), Point(a=1.0)),
            (Point(a=1, b=2), Point(b=2, a=1)),
            (Point(a=1), {"a": 1}),
            (slotted(Slotted, left=1), slotted(Slotted, right=1)),
            (slotted(Mixed, left=1), slotted(Mixed, extra=1)),
            (int, float),
            (partial(int, 1), partial(int, 2)),
            (proba.Gaussian(seed=1), proba.Gaussian(seed=2)),
            (proba.Gaussian(seed=1), proba.Gaussian()),
            (compose.Prefixer("a"), compose.Prefixer("b")),
        ],
    )
    def test_alike_and_yet_not_the_same(self, one, other):
        assert digest(one) != digest(other)
        assert digest([one]) != digest([other])
        assert digest({"at": one}) != digest({"at": other})
        assert digest((one, [other])) != digest((other, [one]))
        assert digest(Point(at=one)) != digest(Point(at=other))

    def test_a_generator_further_on(self):
        rng = random.Random(3)
        before = digest(rng)
        rng.random()
        assert digest(rng) != before

    def test_two_references_to_one_list_and_two_equal_lists(self):
        one = [1]
        assert digest([one, one]) != digest([[1], [1]])
        assert digest([one, one, [1]]) != digest([one, [1], one])
        assert digest([one, [1], one]) != digest([one, [1], [1]])

    def test_who_is_shared(self):
        a, b = [1], [1]
        assert digest([a, b, a]) != digest([a, b, b])

    def test_a_circle_and_an_unrolled_circle(self):
        circle = []
        circle.append(circle)
        unrolled = [circle]
        assert digest(circle) != digest(unrolled)
        assert digest(circle) == digest(pickle.loads(pickle.dumps(circle)))


class TestWhatIsTheSame:
    def test_the_digest_is_64_hex_digits(self):
        assert len(digest(None)) == 64
        assert set(digest(None)) <= set("0123456789abcdef")

    def test_equal_strings_numbers_and_tuples_need_not_be_one_object(self):
        text, number, row = "a b", 1e300, (1, "c d")
        other = ("a {}".format("b"), float("1e300"), (1, "c {}".format("d")))
        assert text is not other[0]
        assert digest([text, text, number, number, row, row]) == digest(
            [text, other[0], number, other[1], row, other[2]]
        )
        assert digest([((1, [2]), text)]) == digest([((1, [2]), other[0])])

    def test_a_pickle_would_tell_them_apart(self):
        """The mutant: the sum of a pickle is no digest."""
        text, other = "a b", "a {}".format("b")
        pickled = [hashlib.sha256(pickle.dumps(value)).hexdigest() for value in ([text, text], [text, other])]
        assert pickled[0] != pickled[1]

    def test_frozen_values_need_not_be_one_object(self):
        for make in (lambda: frozenset({1, 2}), lambda: NamedRow(2), lambda: np.float64(2.5)):
            one = make()
            assert digest([one, one]) == digest([make(), make()])

    def test_the_order_in_which_a_set_was_filled_does_not_count(self):
        names = [f"name {number}" for number in range(100)] + [1, 2.5, None, (1, 2), ("a", None), frozenset({1})]
        assert digest(set(names)) == digest({*names[::-1]})
        crowded = set(range(2, 8000)) | set(names)
        crowded -= set(range(2, 8000))
        assert list(crowded) != list(set(names)), "the same elements, in another order"
        assert digest(crowded) == digest(set(names))

    def test_the_generator_of_a_distribution_is_no_state(self):
        one, other = proba.Gaussian(), proba.Gaussian()
        other.sample()
        assert digest(one) == digest(other)

    def test_the_generator_of_a_seeded_distribution_is_state(self):
        one, other = proba.Gaussian(seed=1), proba.Gaussian(seed=1)
        assert digest(one) == digest(other)
        other.sample()
        assert digest(one) != digest(other)

    def test_what_a_pipeline_notes_of_its_use_is_no_state(self):
        pipeline = preprocessing.StandardScaler() | linear_model.LogisticRegression()
        pipeline.learn_one({"a": 1.0}, True)
        before = digest(pipeline)
        pipeline.predict_one({"a": 1.0})
        assert digest(pipeline) == before

    def test_a_view_of_an_array_is_the_same(self):
        array = np.arange(6.0).reshape(2, 3)
        assert digest(array[::-1][::-1]) == digest(array)

    def test_a_chain_has_a_digest_up_to_a_depth_and_is_refused_beyond_it(self):
        chain = None
        for _ in range(490):
            chain = Point(next=[chain])
        assert len(digest(chain)) == 64
        for _ in range(50_000):
            chain = Point(next=[chain])
        with pytest.raises(SnapshotError, match="more than 1000 deep"):
            digest(chain)
        while chain:  # taken apart by hand, for its end would be as deep
            chain = chain.next.pop()


@pytest.mark.parametrize("value", [(x for x in "ab"), [sys.stdout], Point(at=sys._getframe())])
def test_what_cannot_be_saved_has_no_digest(value):
    with pytest.raises(SnapshotError, match="cannot be saved"):
        digest(value)


atoms = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
hashable = st.recursive(
    atoms, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3) | st.tuples(inner), max_leaves=5
)
plain = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=4)
        | st.builds(deque, st.lists(inner, max_size=3), maxlen=st.none() | st.integers(3, 5))
        | st.builds(lambda value: [value, value], inner)
        | st.builds(lambda value: Point(a=value, b=(value,)), inner)
        | st.builds(lambda value: slotted(Mixed, left=value, extra=value), inner)
        | st.builds(NamedRow, inner)
        | st.builds(OrderedDict, st.lists(st.tuples(hashable, inner), max_size=3))
        | st.builds(lambda pairs: defaultdict(list, pairs), st.lists(st.tuples(hashable, inner), max_size=3))
        | st.integers(-(1 << 80), 1 << 80)
        | st.text(st.characters(), max_size=3)
    ),
    max_leaves=25,
)


def exact(value):
    """A value as a tree of type names and exact texts; what the digest must tell apart, for data without sharing."""
    kind = type(value).__name__
    if isinstance(value, float):
        return kind, struct.pack(">d", value)
    if isinstance(value, list | tuple):
        return kind, *map(exact, value)
    if isinstance(value, dict):
        return kind, *((exact(key), exact(item)) for key, item in value.items())
    if isinstance(value, frozenset):
        return kind, *sorted(map(exact, value), key=repr)
    return kind, value


tree_shaped = st.recursive(
    hashable, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hashable, inner, max_size=3), max_leaves=8
)
close = st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, False, None, "", "1", b"", (), NAN, float("nan")])
near = st.recursive(
    close,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(close, inner, max_size=2)
        | st.frozensets(close, max_size=2)
    ),
    max_leaves=5,
)


@given(plain)
def test_what_is_read_is_written_as_it_was(value):
    data = encode(value)
    back = decode(data, own_modules=(__name__,))
    assert encode(back) == data
    assert hashlib.sha256(data).hexdigest() == digest(value)


@given(plain)
def test_a_round_trip_through_pickle_keeps_the_digest(value):
    for protocol in (2, 5):
        assert digest(pickle.loads(pickle.dumps(value, protocol))) == digest(value)


@given(near, near)
def test_two_values_have_one_digest_only_if_they_are_exactly_the_same(one, other):
    one, other = pickle.loads(pickle.dumps([one, other]))
    assert (digest(one) == digest(other)) == (exact(one) == exact(other))


@given(tree_shaped, tree_shaped)
def test_what_differs_exactly_differs_by_digest(one, other):
    assert exact(one) == exact(other) or digest(one) != digest(other)


CODE = """
from headrace.learning.snapshot import digest
import numpy as np
print(digest([{"a": 1.5, "b": [1, None, "x"]}, {"p", "q", "r", "s"}, {("a", 1), ("b", 2)}, np.arange(4.0), str.lower]))
"""


def test_it_is_the_same_in_every_process_whatever_its_hash_seed():
    def run(seed):
        done = subprocess.run(
            [sys.executable, "-c", CODE], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert {run(seed) for seed in (["0", "1", "77"] if IS_THOROUGH else ["0", "77"])} == {run("1")}


def test_a_model_differs_after_one_more_row_and_after_the_last_bit_of_a_weight():
    model = tree.HoeffdingTreeClassifier()
    seen = {digest(model)}
    for number in range(300):
        model.learn_one({"a": float(number % 7)}, number % 7 > 3)
        seen.add(digest(model))
    assert len(seen) == 301
    linear = linear_model.LogisticRegression()
    linear.learn_one({"a": 1.0}, True)
    before = digest(linear)
    linear._weights["a"] = math.nextafter(linear._weights["a"], 1)
    assert digest(linear) != before
