"""What a snapshot leaves out of a model: `benchmarks/snapshot_bytes.py` prints the figures for every model."""

import functools
import pickle

import pytest
from river.datasets import synth

from headrace.learning.models import build
from headrace.learning.snapshot import decode, digest, encode

ROWS = 5_000
STREAMS = {"binary": synth.Agrawal(seed=42), "multiclass": synth.RandomRBF(42, 42, n_classes=4, n_features=10)}


def rows_of(kind):
    for x, y in STREAMS[kind].take(ROWS):
        yield {str(name): value for name, value in x.items()}, bool(y) if kind == "binary" else y


@functools.cache
def learned(kind):
    model = build("hoeffding_tree", kind)
    for x, y in rows_of(kind):
        model.learn_one(x, y)
    return model


@pytest.mark.parametrize("kind", STREAMS)
def test_a_hoeffding_tree_is_at_least_fifteen_times_smaller_than_its_pickle(kind):
    model = learned(kind)
    assert (model.model.n_nodes > 1) == (kind == "binary"), "one has split, the other is a single leaf yet"
    assert len(pickle.dumps(model, protocol=5)) >= 15 * len(encode(model))


@pytest.mark.parametrize("kind", STREAMS)
def test_what_is_left_out_is_not_missed(kind):
    model = learned(kind)
    copy, before = decode(encode(model)), digest(model)
    assert digest(copy) == before
    for x, _ in rows_of(kind):
        assert copy.predict_proba_one(x) == model.predict_proba_one(x)


@pytest.mark.parametrize("kind", STREAMS)
def test_saving_twice_gives_no_larger_snapshot(kind):
    data = encode(learned(kind))
    assert len(encode(decode(data))) == len(data)
