"""What is taken apart and built as a whole: parts that no such value has are refused before River's Rust code, which trusts them, sees them."""

import random
import struct

import numpy as np
import pytest
from river import drift, stats
from river._river_rust.vectordict import VectorDict

from headrace.learning.encoding import decode, encode
from headrace.learning.encoding.leaves import LEAVES
from headrace.learning.encoding.table import LEAF_OF


def updated(value):
    for number in range(100):
        value.update(float(number % 7))
    return value


VALUES = {
    "random.Random/1": random.Random(1),
    "numpy.RandomState/1": np.random.RandomState(1),
    "numpy.Generator/1": np.random.default_rng(1),
    "river.VectorDict/1": VectorDict({"a": 1.5}, None, None, True),
    "river.AdaptiveWindowing/1": updated(drift.ADWIN())._helper,
    "river.stats.RsEWMean/1": updated(stats.EWMean())._ewmean,
    "river.stats.RsEWVar/1": updated(stats.EWVar())._ewvar,
    "river.stats.RsIQR/1": updated(stats.IQR())._iqr,
    "river.stats.RsKurtosis/1": updated(stats.Kurtosis())._kurtosis,
    "river.stats.RsPeakToPeak/1": updated(stats.PeakToPeak())._ptp,
    "river.stats.RsQuantile/1": updated(stats.Quantile(0.3))._quantile,
    "river.stats.RsSkew/1": updated(stats.Skew())._skew,
}


@pytest.mark.parametrize("tag", VALUES)
def test_a_value_comes_back(tag):
    value = VALUES[tag]
    assert LEAF_OF[type(value)].tag == tag
    data = encode(value)
    assert encode(decode(data)) == data


def test_every_leaf_of_rust_or_with_a_generator_is_among_these():
    assert {leaf.tag for leaf in LEAVES} - set(VALUES) == {"itemgetter/1", "range/1", "NormalDist/1"}


@pytest.mark.parametrize("tag", VALUES)
def test_bytes_of_another_length_and_parts_of_another_number_are_refused(tag):
    leaf = next(leaf for leaf in LEAVES if leaf.tag == tag)
    parts = list(leaf.take(VALUES[tag]))
    for wrong in ([], parts[:-1], [*parts, None], [None] * len(parts)):
        if len(wrong) != len(parts) or tag != "river.VectorDict/1":
            with pytest.raises((ValueError, TypeError, struct.error)):
                leaf.build(wrong)
    for at, part in enumerate(parts):
        if isinstance(part, bytes):
            for changed in (part[:-1], part + b"\0", b"", part * 2):
                with pytest.raises((ValueError, struct.error)):
                    leaf.build([*parts[:at], changed, *parts[at + 1 :]])


@pytest.mark.parametrize(("at", "value"), [(20, 61), (100, 255), (4, 0)])
def test_a_window_whose_counts_do_not_fit_is_refused(at, value):
    leaf = next(leaf for leaf in LEAVES if leaf.tag == "river.AdaptiveWindowing/1")
    *settings, state = leaf.take(VALUES["river.AdaptiveWindowing/1"])
    data = bytearray(state)
    row = struct.Struct("<dIQ6d4IQ").size
    places = {20: row - 8, 100: row + 8, 4: 8}
    data[places[at]] = value
    with pytest.raises((ValueError, struct.error)):
        leaf.build([*settings, bytes(data)])
