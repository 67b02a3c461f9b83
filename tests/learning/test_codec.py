import collections
import copy
import ctypes
import functools
import json
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from river import (
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
    time_series,
    tree,
)
from river.datasets import synth

from learning.arm import Arm
from learning.errors import SnapshotError
from learning.models import build, names_for
from learning.state import digest, dump, load
from learning.task import Task

CATALOGUE = [(kind, name) for kind in ("binary", "multiclass", "regression") for name in names_for(kind)]
SLOW = {"mondrian_forest": 150, "mondrian_regressor": 80, "arf": 500}
MORE = 500
STREAMS = {
    "binary": synth.Agrawal(seed=7),
    "multiclass": synth.RandomRBF(7, 7, n_classes=4, n_features=6),
    "regression": synth.Friedman(seed=7),
}

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
    n = SLOW.get(name, 1_500)
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
        ours, theirs = load(dump(model)), load(dump(model))
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
        saved = load(dump(model))
        for x, y in rest[:100]:
            assert ask(kind, saved, x) == ask(kind, model, x)
            model.learn_one(x, y)
            saved.learn_one(x, y)
        assert digest(saved) == digest(model)

    def test_another_process_loads_the_same_model_and_learns_the_same(self, tmp_path):
        asked = []
        for number, (kind, name) in enumerate(CATALOGUE):
            model, rest = learned(kind, name)
            (tmp_path / str(number)).write_bytes(dump((load(dump(model)), rest[:100])))
            after = learn(kind, load(dump(model)), rest[:100])
            asked.append([digest(model), digest(after), len(dump(after))])
        code = """
import sys, json, pathlib
from learning.state import load, dump, digest
told = []
for number in range(int(sys.argv[2])):
    model, rest = load((pathlib.Path(sys.argv[1]) / str(number)).read_bytes())
    before = digest(model)
    for x, y in rest:
        model.learn_one(x, y)
    told.append([before, digest(model), len(dump(model))])
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
            np.array([1, "a", None], dtype=object),
            np.float32(1.5),
            np.zeros(2, dtype=[("a", "i4"), ("b", "f8")]),
            np.random.default_rng(1),
            np.random.RandomState(1),
            random.Random(1),
            proba.Gaussian(seed=1),
            stats.Quantile(0.5),
            stats.RollingQuantile(0.5, 10),
            drift.ADWIN(),
            drift.KSWIN(seed=1),
            compose.Select("a", "b"),
            str.lower,
            preprocessing.StandardScaler().learn_one,
            time_series.SNARIMAX(1, 0, 1),
        ],
    )
    def test_what_models_are_made_of_comes_back(self, value):
        if isinstance(value, stats.base.Univariate):
            for number in range(20):
                value.update(float(number))
        back = load(dump(value))
        assert type(back) is type(value)
        assert digest(back) == digest(value)

    def test_generators_go_on_where_they_were(self):
        ours, theirs = random.Random(5), np.random.default_rng(5)
        ours.random(), theirs.random()
        mine, yours = load(dump((ours, theirs)))
        assert [mine.random() for _ in range(5)] == [ours.random() for _ in range(5)]
        assert list(yours.random(5)) == list(theirs.random(5))

    def test_what_is_one_object_stays_one(self):
        shared = proba.Gaussian()
        one, other = load(dump([shared, shared]))
        assert one is other

    def test_a_distribution_can_still_be_sampled(self):
        gaussian = proba.Gaussian()
        for number in range(9):
            gaussian.update(number)
        back = load(dump(gaussian))
        assert isinstance(back.sample(), float)
        assert back(4.0) == gaussian(4.0)
        assert digest(back) == digest(gaussian)

    def test_a_chain_deeper_than_pickle_goes_comes_back(self):
        chain = None
        for number in range(900):
            chain = [number, chain]
        chained = linear_model.LogisticRegression()
        chained.chain = chain
        limit = sys.getrecursionlimit()
        with pytest.raises(RecursionError):
            pickle.dumps(chained)
        assert digest(load(dump(chained))) == digest(chained)
        assert sys.getrecursionlimit() == limit

    @pytest.mark.parametrize("value", [lambda: 1, [sys.stdout], (x for x in "a"), ctypes.pointer(ctypes.c_int(1))])
    def test_what_cannot_be_saved_is_refused(self, value):
        with pytest.raises(SnapshotError, match="cannot be saved"):
            dump(value)

    def test_a_chain_without_end_is_refused(self):
        chain = None
        for _ in range(30_000):
            chain = [chain]
        with pytest.raises(SnapshotError, match="cannot be saved"):
            dump(chain)


class TestDamage:
    @pytest.mark.parametrize(
        "data",
        [b"", b"\x80", b"\x80\x05", b"\x80\x05.", b"\x80\x7fN.", b"not a pickle", b"\x80\x05N", b"\x80\x05K.", b"\x80\x05\x97.", b"\x80\x05\x82\x01."],
    )  # fmt: skip
    def test_what_is_no_state_is_refused(self, data):
        with pytest.raises(SnapshotError):
            load(data)

    def test_corrupt_rust_state_is_refused(self, monkeypatch):
        monkeypatch.setenv("RUST_BACKTRACE", "0")
        adwin = drift.ADWIN()
        for number in range(1_000):
            adwin.update(number % 2)
        kind, arguments, state = type(adwin._helper), *adwin._helper.__reduce_ex__(4)[1:3]
        name = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (kind.__module__, kind.__qualname__))
        new = b"\x80\x05" + name + b"\x93" + pickle.dumps(arguments[1:], 5)[2:-1] + b"\x81"
        assert digest(load(new + pickle.dumps(state, 5)[2:-1] + b"b.")) == digest(adwin._helper)
        for corrupt in (b"", state[:1], state[:-1], b"\xff" * len(state), 7):
            with pytest.raises(SnapshotError, match="cannot be read"):
                load(new + pickle.dumps(corrupt, 5)[2:-1] + b"b.")

    def test_flipped_bytes_never_raise_anything_else(self, monkeypatch):
        """What is not refused here is what the sums and the digest of a snapshot are for."""
        monkeypatch.setenv("RUST_BACKTRACE", "0")  # costs a second each time
        model, _ = learned("binary", "hat")
        data, rng, refused = dump(model), random.Random(1), 0
        for _ in range(1_000):
            place = rng.randrange(len(data))
            flipped = bytes([data[place] ^ (1 << rng.randrange(8))])
            if flipped == b"r":  # would have pickle reserve room for up to four thousand million objects
                continue
            try:
                load(data[:place] + flipped + data[place + 1 :])
            except SnapshotError:
                refused += 1
        assert refused > 100

    def test_cut_off_bytes_are_refused(self):
        data = dump(learned("binary", "naive_bayes")[0])
        for end in range(0, len(data), 7):
            with pytest.raises(SnapshotError):
                load(data[:end])
