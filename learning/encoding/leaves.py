"""Leaves: objects that are more than their attributes, such as random generators and the Rust parts of River."""

import operator
import random
import statistics
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from river._river_rust import drift as rust_drift
from river._river_rust import stats as rust_stats
from river._river_rust.vectordict import VectorDict

from headrace.learning.encoding.form import RANGE_MAX

WORDS = 624
"""Numbers of 32 bits in the state of a Mersenne Twister."""


class Leaf(NamedTuple):
    """The way in which the objects of one type are written and built.

    Parameters
    ----------
    tag
        The name of the type in an encoding.
    kind
        The type.
    take
        A function that returns the parts of an object: plain values, and lists and dicts of them.
    build
        A function that checks parts and builds the object; any exception refuses the encoding.
    changes
        Whether an object of the type is mutable, so that two references to it differ from two equal objects.
    """

    tag: str
    kind: type[Any]
    take: Callable[[Any], Sequence[Any]]
    build: Callable[[Sequence[Any]], Any]
    changes: bool = True


def demand(true: bool, what: str) -> None:
    """Raise ValueError with the message `what` unless a condition is true."""
    if not true:
        raise ValueError(what)


def _take_twister(value: random.Random) -> Sequence[Any]:
    version, words, gauss = value.getstate()
    return version, struct.pack(f"<{WORDS + 1}I", *words), gauss


def _build_twister(parts: Sequence[Any]) -> random.Random:
    version, data, gauss = parts
    words = struct.unpack(f"<{WORDS + 1}I", data)
    demand(version == 3 and words[-1] <= WORDS and type(gauss) in (float, type(None)), "no state of a generator")
    made = random.Random(0)
    made.setstate((3, words, gauss))
    return made


def _take_numpy_twister(value: np.random.RandomState) -> Sequence[Any]:
    name, key, position, has_gauss, gauss = value.get_state(legacy=True)
    demand(name == "MT19937", "another generator than MT19937")
    return np.asarray(key, "<u4").tobytes(), int(position), int(has_gauss), float(gauss)


def _build_numpy_twister(parts: Sequence[Any]) -> np.random.RandomState:
    key, position, has_gauss, gauss = parts
    demand(len(key) == 4 * WORDS and position in range(WORDS + 1) and has_gauss in (0, 1), "no state of a generator")
    demand(type(gauss) is float, "no state of a generator")
    made = np.random.RandomState(0)
    made.set_state(("MT19937", np.frombuffer(key, "<u4"), position, has_gauss, gauss))
    return made


def _take_pcg(value: np.random.Generator) -> Sequence[Any]:
    state: Any = value.bit_generator.state
    demand(state["bit_generator"] == "PCG64", "a generator other than PCG64")
    numbers = [state["state"][name].to_bytes(16, "little") for name in ("state", "inc")]
    return [*numbers, int(state["has_uint32"]), int(state["uinteger"])]


def _build_pcg(parts: Sequence[Any]) -> np.random.Generator:
    state, inc, has_half, half = parts
    demand(type(state) is type(inc) is bytes and len(state) == len(inc) == 16, "no state of a generator")
    demand(has_half in (0, 1) and half in range(1 << 32), "no state of a generator")
    made = np.random.Generator(np.random.PCG64(0))
    numbers = {"state": int.from_bytes(state, "little"), "inc": int.from_bytes(inc, "little")}
    made.bit_generator.state = {
        "bit_generator": "PCG64", "state": numbers, "has_uint32": has_half, "uinteger": half,
    }  # fmt: skip
    return made


def _take_vector(value: Any) -> Sequence[Any]:
    data: dict[Any, float]
    _, (data, factory, mask, _), *_ = value.__reduce_ex__(4)
    demand(factory is None and mask is None, "a VectorDict with a default or a mask")
    if set(map(type, data)) <= {str}:
        return (data,)
    return [list(key) if type(key) is tuple else key for key in data], list(data.values())


def _build_vector(parts: Sequence[Any]) -> Any:
    if len(parts) == 1:
        (data,) = parts
        demand(type(data) is dict, "a VectorDict is a dict")
    else:
        keys, values = parts
        data = dict(zip((tuple(key) if type(key) is list else key for key in keys), values, strict=True))
    demand(set(map(type, data.values())) <= {float}, "a VectorDict has numbers")
    return VectorDict(data, None, None, True)


# The byte layouts of the state of River's Rust parts. Their own reader trusts these bytes, so lengths and counts are checked here first.
# See `tests/learning/test_leaves.py`.

_ADWIN_HEAD, _ADWIN_ROW, _ADWIN_TAIL = struct.Struct("<dIQ6d4IQ"), struct.Struct("<QQQ"), struct.Struct("<dIQII")
ADWIN_ROWS, ADWIN_BUCKETS = 60, 1_000
"""The most rows of an ADWIN window, whose buckets double in size from row to row, and the most buckets in a row."""


def _take_rust(value: Any) -> Sequence[Any]:
    _, (_, *arguments), state, *_ = value.__reduce_ex__(4)
    return [*arguments, state]


def _build_adwin(parts: Sequence[Any]) -> rust_drift.AdaptiveWindowing:
    delta, clock, buckets, window, grace, state = parts
    arguments = delta, clock, buckets, window, grace
    demand(type(delta) is float and all(type(part) is int for part in arguments[1:]), "no settings of ADWIN")
    demand(
        0 < clock < 2**31 and 0 < buckets <= ADWIN_BUCKETS and 0 <= window < 2**31 and 0 <= grace < 2**31, "no ADWIN"
    )
    head = _ADWIN_HEAD.unpack_from(state)
    rows, each = head[-1], _ADWIN_ROW.size + 16 * (buckets + 1) + 8
    demand(head[:5] == (delta, clock, buckets, window, grace) and rows <= ADWIN_ROWS, "no state of ADWIN")
    demand(len(state) == _ADWIN_HEAD.size + rows * each + _ADWIN_TAIL.size, "no state of ADWIN")
    for at in range(_ADWIN_HEAD.size, _ADWIN_HEAD.size + rows * each, each):
        most, used, sums = _ADWIN_ROW.unpack_from(state, at)
        (variances,) = struct.unpack_from("<Q", state, at + _ADWIN_ROW.size + 8 * (buckets + 1))
        demand(most == buckets and used <= buckets + 1 == sums == variances, "no state of ADWIN")
    demand(_ADWIN_TAIL.unpack(state[-_ADWIN_TAIL.size :]) == arguments, "no state of ADWIN")
    made = rust_drift.AdaptiveWindowing(*arguments)
    made.__setstate__(state)
    return made


def _statistic(
    kind: type[Any], arguments: tuple[type[Any], ...], size: int, at_most: Sequence[tuple[int, int]] = ()
) -> Leaf:
    """Make the leaf of a statistic whose state has a fixed size; `at_most` lists byte positions, each with its greatest value."""

    def build(parts: Sequence[Any]) -> Any:
        *given, state = parts
        demand(tuple(map(type, given)) == arguments and type(state) is bytes and len(state) == size, "no statistic")
        demand(all(state[place] <= most for place, most in at_most), "no state of a statistic")
        made = kind(*given)
        made.__setstate__(state)
        return made

    return Leaf(f"river.stats.{kind.__name__}/1", kind, _take_rust, build)


def _build_itemgetter(parts: Sequence[Any]) -> Any:
    demand(len(parts) == 1 and type(parts[0]) in (str, int), "no itemgetter")
    return operator.itemgetter(*parts)


def _take_range(value: range) -> Sequence[Any]:
    demand(len(value) <= RANGE_MAX, f"a range of more than {RANGE_MAX} numbers")
    return value.start, value.stop, value.step


def _build_range(parts: Sequence[Any]) -> range:
    demand(len(parts) == 3 and all(type(part) is int for part in parts), "no range")
    made = range(*parts)
    demand(len(made) <= RANGE_MAX, "a range of too many numbers")
    return made


def _build_normal(parts: Sequence[Any]) -> statistics.NormalDist:
    demand(len(parts) == 2 and all(type(part) is float for part in parts), "no normal distribution")
    return statistics.NormalDist(*parts)


LEAVES: tuple[Leaf, ...] = (
    Leaf("random.Random/1", random.Random, _take_twister, _build_twister),
    Leaf("numpy.RandomState/1", np.random.RandomState, _take_numpy_twister, _build_numpy_twister),
    Leaf("numpy.Generator/1", np.random.Generator, _take_pcg, _build_pcg),
    Leaf("river.VectorDict/1", VectorDict, _take_vector, _build_vector),
    Leaf("river.AdaptiveWindowing/1", rust_drift.AdaptiveWindowing, _take_rust, _build_adwin),
    _statistic(rust_stats.RsEWMean, (float,), 33, at_most=[(24, 1)]),
    _statistic(rust_stats.RsEWVar, (float,), 66, at_most=[(24, 1), (49, 1)]),
    _statistic(rust_stats.RsIQR, (float, float), 356, at_most=[(168, 5), (169, 1), (338, 5), (339, 1)]),
    _statistic(rust_stats.RsKurtosis, (bool,), 58, at_most=[(0, 1), (57, 1)]),
    _statistic(rust_stats.RsPeakToPeak, (), 16),
    _statistic(rust_stats.RsQuantile, (), 170, at_most=[(168, 5), (169, 1)]),
    _statistic(rust_stats.RsSkew, (bool,), 58, at_most=[(56, 1), (57, 1)]),
    Leaf("itemgetter/1", operator.itemgetter, lambda value: value.__reduce__()[1], _build_itemgetter, changes=False),
    Leaf("range/1", range, _take_range, _build_range, changes=False),
    Leaf("NormalDist/1", statistics.NormalDist, lambda value: (value.mean, value.stdev), _build_normal, changes=False),
)
