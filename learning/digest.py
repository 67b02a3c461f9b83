"""The digest: one number that stands for a state, equal wherever and however the state came to be."""

import hashlib
import io
import pickle
import random
from collections import Counter, OrderedDict, defaultdict, deque
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np

from learning.codec import reduce_slim

ATOMS = frozenset({type(None), bool, int, float, str, bytes})


def digest(state: object) -> str:
    """SHA-256, as 64 hex digits, of an object's canonical form.

    The object graph is walked, and written as nested tuples of plain values: types are named, the order of a dict counts and the
    order of a set does not, floats are exact to the bit. Two references to one mutable object differ from references to two equal
    ones, for they will part; whether two equal strings are one object makes no difference, for they cannot. A pickle is not
    canonical: its bytes depend on which equal strings happen to be one.

    Examples
    --------
    >>> digest({"a": 1.0}) == digest({"a": 1.0})
    True
    >>> digest({"a": 1.0}) == digest({"a": 1})
    False
    >>> digest({1, 2}) == digest({2, 1})
    True
    """
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=4)
    pickler.fast = True  # writes every value out, so that equal values give equal bytes; the form is a tree, so it ends
    pickler.dump(_Canonical().form(state))
    return hashlib.sha256(buffer.getvalue()).hexdigest()


class _Canonical:
    """Walks an object graph; remembers the mutable objects met, by the order of meeting them."""

    def __init__(self) -> None:
        self.met: dict[int, int] = {}
        self.alive: list[object] = []  # what was made for the walk must not be freed, or its id would be met again

    def form(self, value: Any) -> Any:  # noqa: PLR0911 one return a type
        """A tree of tuples and plain values that stands for `value`."""
        kind = type(value)
        if kind in ATOMS:
            return value
        if kind is tuple:
            return ("t", *value) if ATOMS.issuperset(map(type, value)) else ("t", *self._each(value))
        number = self.met.get(id(value))
        if number is not None:
            return ("again", number)
        self.met[id(value)] = len(self.met)
        if kind is dict:
            return ("d", *self._pairs(value))
        if kind is list:
            return ("l", *self._each(value))
        if kind is deque:
            return ("q", value.maxlen, *self._each(value))
        if kind is set or kind is frozenset:
            return (kind.__name__, *sorted((_Canonical().form(item) for item in value), key=_sort_key))
        if kind is np.ndarray:
            return ("array", value.dtype.str, value.shape, value.tobytes())
        if kind is bytearray:
            return ("bytearray", bytes(value))
        if kind is defaultdict:
            return ("defaultdict", self.form(value.default_factory), *self._pairs(value))
        if kind is Counter or kind is OrderedDict:
            return (kind.__name__, *self._pairs(value))
        if kind is random.Random:
            return ("random", value.getstate())
        if isinstance(value, type | FunctionType | BuiltinFunctionType):
            return ("name", f"{value.__module__}.{value.__qualname__}")
        if isinstance(value, MethodType):
            return ("method", value.__name__, self.form(value.__self__))
        return self._reduced(value)

    def _each(self, values: Any) -> Any:
        atoms, form = ATOMS, self.form
        if atoms.issuperset(map(type, values)):
            return values
        return [value if type(value) in atoms else form(value) for value in values]

    def _pairs(self, mapping: Any) -> list[Any]:
        flat: list[Any] = []
        atoms, form = ATOMS, self.form
        for key, value in mapping.items():
            flat.append(key if type(key) in atoms else form(key))
            flat.append(value if type(value) in atoms else form(value))
        return flat

    def _reduced(self, value: Any) -> Any:
        reduced = reduce_slim(value)
        if reduced is NotImplemented:
            reduced = value.__reduce_ex__(4)
        self.alive.append(reduced)
        if isinstance(reduced, str):
            return ("name", reduced)
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        parts = ["o", f"{type(value).__module__}.{type(value).__qualname__}", self.form(make), *self._each(arguments)]
        if state is not None:
            # The dict of an instance is met again through `__dict__` by no one else: its own number is not spent on it.
            parts.append(("state", *(self._pairs(state) if type(state) is dict else [self.form(state)])))
        if items is not None:
            parts.append(("items", *self._each(items)))
        if pairs is not None:
            parts.append(("pairs", *(part for pair in pairs for part in self._each(pair))))
        return tuple(parts)


def _sort_key(form: Any) -> tuple[str, str]:
    return (type(form).__name__, repr(form))
