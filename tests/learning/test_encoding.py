import collections
import copy
import ctypes
import functools
import json
import os
import pickle
import random
import subprocess
import sys
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from river import (
    cluster,
    compose,
    drift,
    ensemble,
    forest,
    linear_model,
    naive_bayes,
    neighbors,
    optim,
    preprocessing,
    proba,
    stats,
    tree,
)
from river.datasets import synth
from thorough import some

from headrace.learning.arms.arm import Arm
from headrace.learning.encoding import missing, reader, writer
from headrace.learning.encoding.form import LEVELS, Code
from headrace.learning.errors import SnapshotError
from headrace.learning.models import build, names_for
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.task import Task

CATALOGUE = [(kind, name) for kind in ("binary", "multiclass", "regression") for name in names_for(kind)]
SLOW = {"mondrian_forest": 150, "mondrian_regressor": 80, "arf": 500}
MORE = some(500)
STREAMS = {
    "binary": synth.Agrawal(seed=7),
    "multiclass": synth.RandomRBF(7, 7, n_classes=4, n_features=6),
    "regression": synth.Friedman(seed=7),
}


class Chain(list):
    """A list of a class of its own."""


RIVER = {
    "pipeline": ("binary", lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.Adam())),
    "knn": ("binary", neighbors.KNNClassifier),
    "bagging": ("binary", lambda: ensemble.BaggingClassifier(naive_bayes.GaussianNB(), n_models=3, seed=1)),
    "adaptive regressor": ("regression", lambda: tree.HoeffdingAdaptiveTreeRegressor(seed=1)),
    "forest of regressors": ("regression", lambda: forest.ARFRegressor(n_models=3, seed=1)),
    "extra trees": ("regression", lambda: forest.OXTRegressor(n_models=3, seed=1)),
    "quantile": ("regression", lambda: preprocessing.TargetStandardScaler(linear_model.LinearRegression())),
}


def rows(kind, n):
    for x, y in STREAMS[kind].take(n):
        yield {str(name): value for name, value in x.items()}, bool(y) if kind == "binary" else y


def ask(kind, model, x):
    return model.predict_one(x) if kind == "regression" else model.predict_proba_one(x)


def learn(kind, model, samples):
    for x, y in samples:
        model.learn_one(x, y)
    return model


@functools.cache
def learned(kind, name):
    """A model's bytes after some rows, and the rows that come next."""
    n = some(SLOW.get(name, 1_500))
    more = min(n, MORE) if name in SLOW else MORE
    samples = list(rows(kind, n + more))
    model = RIVER[name][1]() if name in RIVER else build(name, kind)
    return learn(kind, model, samples[:n]), samples[n:]


EVERY = [*CATALOGUE, *((kind, name) for name, (kind, _) in RIVER.items())]


class TestRoundTrip:
    @pytest.mark.parametrize(("kind", "name"), EVERY)
    def test_a_loaded_model_is_equal_and_goes_on_as_the_saved_one(self, kind, name):
        model, rest = learned(kind, name)
        before = digest(model)
        ours, theirs = decode(encode(model)), decode(encode(model))
        assert digest(ours) == digest(theirs) == digest(model) == before
        for x, y in rest:
            assert ask(kind, ours, x) == ask(kind, theirs, x)
            ours.learn_one(x, y)
            theirs.learn_one(x, y)
        assert digest(ours) == digest(theirs)
        if name != "no_change":  # which may well have seen the same label last
            assert digest(ours) != before

    @pytest.mark.parametrize(("kind", "name"), EVERY)
    def test_the_saved_model_goes_on_as_if_it_had_not_been_saved(self, kind, name):
        model, rest = learned(kind, name)
        model = copy.deepcopy(model)
        saved = decode(encode(model))
        for x, y in rest[:100]:
            assert ask(kind, saved, x) == ask(kind, model, x)
            model.learn_one(x, y)
            saved.learn_one(x, y)
        assert digest(saved) == digest(model)

    def test_another_process_loads_the_same_model_and_learns_the_same(self, tmp_path):
        asked = []
        for number, (kind, name) in enumerate(CATALOGUE):
            model, rest = learned(kind, name)
            (tmp_path / str(number)).write_bytes(encode((decode(encode(model)), rest[:100])))
            after = learn(kind, decode(encode(model)), rest[:100])
            asked.append([digest(model), digest(after), len(encode(after))])
        code = """
import sys, json, pathlib
from headrace.learning.snapshot import decode, encode, digest
told = []
for number in range(int(sys.argv[2])):
    model, rest = decode((pathlib.Path(sys.argv[1]) / str(number)).read_bytes())
    before = digest(model)
    for x, y in rest:
        model.learn_one(x, y)
    told.append([before, digest(model), len(encode(model))])
print(json.dumps(told))
"""
        command = [sys.executable, "-c", code, str(tmp_path), str(len(CATALOGUE))]
        done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=True)
        for name, here, there in zip(CATALOGUE, asked, json.loads(done.stdout), strict=True):
            assert here[:2] == there[:2], name

    @pytest.mark.parametrize(("kind", "name"), CATALOGUE)
    def test_one_more_row_is_another_state(self, kind, name):
        task = Task(name="t", kind=kind, model=name)
        arm = Arm(task, "champion")
        seen = set()
        for x, y in rows(kind, 20):
            arm.score(arm.predict(x), y)
            arm.learn(x, y)
            seen.add(digest(arm))
        assert len(seen) == 20

    @pytest.mark.parametrize(
        "value",
        [
            None,
            [1, 1.0, True, "a", b"a", bytearray(b"b"), 2**70, (1, [2]), {1, 2}, frozenset({3})],
            {"a": {"b": [float("inf"), -0.0]}},
            collections.Counter("abca"),
            collections.OrderedDict(b=1, a=2),
            collections.defaultdict(list, a=[1]),
            collections.deque([1, 2], maxlen=3),
            functools.partial(int, "7"),
            np.arange(6.0).reshape(2, 3),
            np.float32(1.5),
            np.asfortranarray(np.arange(6.0).reshape(2, 3)),
            np.random.default_rng(1),
            np.random.RandomState(1),
            random.Random(1),
            proba.Gaussian(seed=1),
            stats.Quantile(0.5),
            drift.ADWIN(),
            drift.KSWIN(seed=1),
            compose.Select("a", "b"),
            str.lower,
            linear_model.PAClassifier(mode=2).calc_tau,
        ],
    )
    def test_what_models_are_made_of_comes_back(self, value):
        if isinstance(value, stats.base.Univariate):
            for number in range(20):
                value.update(float(number))
        back = decode(encode(value))
        assert type(back) is type(value)
        assert digest(back) == digest(value)

    def test_generators_go_on_where_they_were(self):
        ours, theirs = random.Random(5), np.random.default_rng(5)
        ours.random(), theirs.random()
        mine, yours = decode(encode((ours, theirs)))
        assert [mine.random() for _ in range(5)] == [ours.random() for _ in range(5)]
        assert list(yours.random(5)) == list(theirs.random(5))

    @pytest.mark.parametrize("odd", [1 << 64, -(1 << 63) - 1, 1 << 8_000, "\ud800", "a\udfffb"])
    def test_numbers_and_strings_that_messagepack_does_not_know_stand_anywhere(self, odd):
        thing = linear_model.LogisticRegression()
        thing.__dict__ = {"odd": odd, "even": 2}
        holders = [odd, [odd, 1], [(odd, 1), (2, 3)], (odd, (odd,)), {"a": odd}, {odd: 1}, {odd}, frozenset({odd})]
        holders += [
            collections.deque([odd], 3),
            collections.Counter({odd: odd}),
            collections.OrderedDict(a=odd),
            [[odd]],
            thing,
        ]
        holders += [functools.partial(int, odd), collections.defaultdict(int, {"a": odd})]
        for holder in (*holders, holders):
            data = encode(holder)
            back = decode(data)
            assert encode(back) == data
            assert back == holder or holder in (thing, holders) or type(holder) is functools.partial
        assert decode(encode(thing)).__dict__ == thing.__dict__

    def test_what_is_one_object_stays_one(self):
        shared = proba.Gaussian()
        one, other = decode(encode([shared, shared]))
        assert one is other

    def test_a_distribution_can_still_be_sampled(self):
        gaussian = proba.Gaussian()
        for number in range(9):
            gaussian.update(number)
        back = decode(encode(gaussian))
        assert isinstance(back.sample(), float)
        assert back(4.0) == gaussian(4.0)
        assert digest(back) == digest(gaussian)

    @pytest.mark.parametrize(
        "link", [lambda chain: [chain, []], lambda chain: collections.deque([chain]), lambda chain: {1: chain}]
    )
    def test_a_chain_comes_back_up_to_a_depth_that_is_safe(self, link):
        chain = ["end"]
        for _ in range(LEVELS):
            chain = link(chain)
        back = decode(encode(chain))
        assert digest(back) == digest(chain)
        with pytest.raises(SnapshotError, match="more than 1000 deep"):
            encode(link(link(link(chain))))

    @pytest.mark.parametrize(
        "value",
        [
            lambda: 1, [sys.stdout], (x for x in "a"), ctypes.pointer(ctypes.c_int(1)),
            preprocessing.StandardScaler().learn_one, np.array([1, "a", None], dtype=object), {proba.Gaussian()},
            np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]), 1 << 9_000, Chain([1]), {(1, (2, proba.Gaussian()))},
        ],
    )  # fmt: skip
    def test_what_cannot_be_saved_is_refused(self, value):
        with pytest.raises(SnapshotError, match="cannot be saved"):
            encode(value)

    @pytest.mark.parametrize("value", [os.system, open, subprocess.Popen, json.loads, Chain.__init__, cluster.KMeans()])
    def test_what_is_nowhere_in_the_table_is_not_read(self, value):
        with pytest.raises(SnapshotError):
            decode(encode(value), own_modules=(__name__,))

    def test_a_chain_of_tuples_without_end_is_refused(self):
        chain = None
        for _ in range(1_000):
            chain = (chain,)
        with pytest.raises(SnapshotError, match="cannot be saved"):
            encode(chain)


class TestDamage:
    @pytest.mark.parametrize(
        "data",
        [b"", b"\x80", b"\x00\x00\x00\x00", b"\x00\x00\x00\x01", b"\x00\x00\x00\x01\x90", b"\x00\x00\x00\x01\xc0",
         b"\x00\x00\x00\x02\x91\xc0\x00", b"\x00\x00\x00\x02\x91\xc0" * 2, b"\xff\xff\xff\xff\x91\xc0", pickle.dumps([1])],
    )  # fmt: skip
    def test_what_is_no_encoding_is_refused(self, data):
        with pytest.raises(SnapshotError, match="cannot be read"):
            decode(data)

    def test_flipped_bytes_never_raise_anything_else(self, monkeypatch):
        """What is not refused here is what the sums and the digest of a snapshot are for."""
        monkeypatch.setenv("RUST_BACKTRACE", "0")  # costs a second each time
        model, _ = learned("binary", "hat")
        data, rng, refused = encode(model), random.Random(1), 0
        for _ in range(1_000):
            place = rng.randrange(len(data))
            flipped = bytes([data[place] ^ (1 << rng.randrange(8))])
            try:
                decode(data[:place] + flipped + data[place + 1 :])
            except SnapshotError:
                refused += 1
        assert refused > 100

    def test_cut_off_bytes_are_refused(self):
        data = encode(learned("binary", "naive_bayes")[0])
        for end in range(0, len(data), 7):
            with pytest.raises(SnapshotError):
                decode(data[:end])


class TestLimits:
    """What is more than a reader takes is refused by the writer too, and by the reader before it has done harm."""

    BLOCKS: ClassVar = {
        "list": [Code.LIST_BLOCK, 1],
        "deque": [Code.DEQUE_BLOCK, None, 1],
        "defaultdict": [Code.DICT_BLOCK, 3, [Code.NAME, "list"], 1],
        "object": [Code.SHAPE, "river.optim.sgd.SGD/1", ["lr"]],
    }

    @pytest.mark.parametrize("kind", BLOCKS)
    def test_values_that_lie_too_deep_are_refused(self, kind):
        """Python would free deques in deques by recursion, until the process ends by a signal."""
        block = self.BLOCKS[kind]
        tokens = [
            token
            for _ in range(some(200_000, of=10))
            for token in ([block] if kind != "defaultdict" else [block, "key"])
        ]
        if kind == "defaultdict":
            tokens = [block] + ["key", block] * some(200_000, of=10)
        with pytest.raises(SnapshotError, match="too deep"):
            decode(framed([*tokens, None]))

    @pytest.mark.parametrize(
        "token", [[Code.LIST], [Code.DEQUE, None], {}, [Code.DICT, 3, None, {}], [Code.FROZENSET], [Code.MET, 0]]
    )
    def test_more_values_than_a_state_may_have_are_refused(self, token, monkeypatch):
        monkeypatch.setattr(reader, "VALUES", 1_000)
        with pytest.raises(SnapshotError, match="more than 1,000 values"):
            decode(framed([[Code.LIST_BLOCK, 2_000], *[token] * 2_000]))

    @pytest.mark.parametrize(
        "make", [list, collections.deque, dict, set, lambda: (), lambda: frozenset([1]), lambda: 1.5, lambda: 1 << 70]
    )
    def test_the_writer_counts_what_the_reader_counts(self, make, monkeypatch):
        value = {
            "a": [make() for _ in range(50)],
            (make() if make.__name__ == "<lambda>" else 1): [(1, 2)] * 3,
            "b": {(1, (2,)): None},
        }
        written = writer.Writer()
        data = b"".join(written.frames(value))
        read = reader.Reader(data)
        read.read()
        assert read.made == written.made
        monkeypatch.setattr(writer, "VALUES", written.made - 1)
        with pytest.raises(SnapshotError, match="values that hold others"):
            encode(value)

    def test_a_frame_that_would_be_too_long_becomes_several(self, monkeypatch):
        value = ["x" * 100 + str(number) for number in range(10_000)]
        whole = encode(value)
        for module in (writer, reader):
            monkeypatch.setattr(module, "FRAME_BYTES", 50_000)
        assert decode(encode(value)) == value
        with pytest.raises(SnapshotError, match="a frame is too long"):
            decode(whole)
        with pytest.raises(SnapshotError, match="a value of 60,004 bytes"):
            encode("x" * 60_000)

    def test_more_bytes_than_are_read_are_not_written(self, monkeypatch):
        monkeypatch.setattr(writer, "SIZE", 1_000)
        with pytest.raises(SnapshotError, match="more than 1,000 bytes"):
            encode(["x" * 100] * 10)

    @pytest.mark.parametrize("kind", ["set", "dict"])
    def test_keys_that_were_chosen_for_their_hashes_are_refused(self, kind):
        keys = [[Code.LARGE, (((1 << 61) - 1) * number).to_bytes(20, "little")] for number in range(16, 5_000)]
        tokens = (
            [[Code.SET, len(keys)], *keys]
            if kind == "set"
            else [[Code.DICT_BLOCK, 0, None, len(keys)], *keys, *[None] * len(keys)]
        )
        with pytest.raises(SnapshotError, match="the same hashes"):
            decode(framed(tokens))

    def test_arrays_that_share_their_memory_are_refused(self):
        whole = np.zeros(10)
        assert digest(decode(encode([whole.reshape(2, 5), np.ones(3)[1:]])))
        with pytest.raises(SnapshotError, match="two arrays that share their memory"):
            encode([whole, whole[:5]])

    def test_a_default_is_not_made_by_what_holds_another_default(self):
        inner = collections.defaultdict(list)
        with pytest.raises(SnapshotError, match="whose default is made by what holds another"):
            encode(collections.defaultdict(functools.partial(copy.deepcopy, inner)))
        token = [
            Code.DICT_BLOCK,
            3,
            [Code.PARTIAL, [Code.NAME, "copy.deepcopy"], [[Code.DICT, 3, [Code.NAME, "list"], {}]], [], []],
            0,
        ]
        with pytest.raises(SnapshotError, match="holds another such dict"):
            decode(framed([token]))

    @pytest.mark.parametrize(
        ("function", "arguments"),
        [("river.linear_model.log_reg.LogisticRegression/1", []), ("list", [[Code.LEAF, "range/1", 0, 10**8, 1]]), ("bytes", [10**9]), ("collections.deque", [])],
    )  # fmt: skip
    def test_a_function_is_not_given_arguments_that_do_harm(self, function, arguments):
        with pytest.raises(SnapshotError):
            decode(framed([[Code.PARTIAL, [Code.NAME, function], arguments, [], []]]))


def framed(tokens):
    data = msgspec.msgpack.encode(tokens)
    return len(data).to_bytes(4, "big") + data


class Reducing(compose.Pipeline):
    """A pipeline that says itself how it is taken apart."""

    def __reduce__(self):
        return print, ("called",)


class Last:
    """Has something to do when it is let go."""

    gone: ClassVar = []

    def __del__(self):
        self.gone.append(vars(self))


def named():
    """A function that no state may name unless it is declared."""


class TestOwnModules:
    @pytest.mark.parametrize("kind", [Reducing, Last])
    def test_a_class_whose_objects_are_more_than_attributes_is_refused(self, kind):
        with pytest.raises(SnapshotError, match=kind.__name__):
            encode(kind.__new__(kind))
        Last.gone.clear()
        with pytest.raises(SnapshotError, match="which is no class that a state may consist of"):
            decode(framed([[Code.SHAPE, f"{__name__}:{kind.__name__}", ["a"], 1]]), own_modules=(__name__,))
        assert not Last.gone

    def test_a_function_must_be_declared(self, monkeypatch):
        for value in (named, functools.partial(named, 1)):
            data = encode(value)
            monkeypatch.delattr(sys.modules[__name__], "HEADRACE_STATE", raising=False)
            with pytest.raises(SnapshotError, match="which a state may not consist of"):
                decode(data, own_modules=(__name__,))
            assert missing(value, own_modules=(__name__,)) == [f"{__name__}:named"]
            monkeypatch.setattr(sys.modules[__name__], "HEADRACE_STATE", [named], raising=False)
            assert decode(data, own_modules=(__name__,))
            assert missing(value, own_modules=(__name__,)) == []
