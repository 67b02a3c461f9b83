"""The digest: one number that stands for a state, equal wherever and however the state came to be."""

import copyreg
import hashlib
import marshal
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import chain
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from learning.codec import strip_of
from learning.errors import SnapshotError

ATOMS = frozenset({type(None), bool, int, float, str, bytes})
NEW = ...
"""Stands where an object is met for the first time: it is the next one in the queue."""

CHUNK = 1 << 16
"""Tokens hashed at a time, some 500 KB of them: bounds the memory that a large forest's digest takes."""

SETTLED = (int, float, str, bytes, complex, tuple, frozenset, range, slice, np.generic, np.dtype, MethodType,
           BuiltinFunctionType)  # fmt: skip
"""Bases of what cannot change: that two of them are one object makes no difference."""


def digest(state: object) -> str:
    """SHA-256, as 64 hex digits, of an object's canonical form.

    Types are named, floats are exact to the bit, the order of a dict counts and the order of a set does not. Two references to
    one mutable object differ from references to two equal ones, for they will part; whether two equal strings are one object
    makes no difference, for they cannot. What the codec leaves out is left out. A pickle is not canonical: its bytes depend on
    which equal strings happen to be one.

    Raises
    ------
    SnapshotError
        There is something in it that cannot be told from what it may become: an open file, a generator.

    Examples
    --------
    >>> digest({"a": 1.0}) == digest({"a": 1.0})
    True
    >>> digest({"a": 1.0}) == digest({"a": 1})
    False
    >>> digest({1, 2}) == digest({2, 1})
    True
    """
    try:
        return _Walk().digest(state).hex()
    except (TypeError, AttributeError) as error:
        raise SnapshotError(f"the state has no digest: {error}.", "Use a model that can be pickled.") from error


class _Walk:
    """Writes an object graph as one flat sequence of tokens, breadth first, so that no depth or cycle can stop it.

    An object that may change has a number, the place at which it was first met; where it is met again, the number stands for it. What
    an object holds follows in its turn. Each head says how many tokens belong to it, so no two graphs have the same tokens.
    """

    def __init__(self, within: frozenset[int] = frozenset()):
        self.within = within  # the sets whose elements are being put in order
        self.tokens: list[Any] = []
        self.queue: list[
            Any
        ] = []  # also keeps what was made for the walk from being freed, or its id would be met again
        self.numbers: dict[int, int] = {}
        self.shapes: dict[tuple[Any, ...], int] = {}

    def digest(self, value: object) -> bytes:
        """SHA-256 of the tokens."""
        sha = hashlib.sha256()
        tokens = self.tokens
        tokens.append(value if type(value) in ATOMS else self.token(value))
        writers, instance = WRITERS, self.instance
        for met in self.queue:  # which grows
            write = writers.get(type(met))
            if write is None:
                instance(met)
            else:
                write(self, met)
            if len(tokens) > CHUNK:
                sha.update(marshal.dumps(tokens, 2))
                tokens.clear()
        sha.update(marshal.dumps(tokens, 2))  # version 2 knows no references: equal values give equal bytes
        return sha.digest()

    def token(self, value: Any) -> Any:
        """What stands for a value that is no atom; it is queued, unless it can be named or was met before."""
        kind = type(value)
        if kind is tuple and ATOMS.issuperset(map(type, value)):
            return ("t", *value)
        sort = SORTS.get(kind) or _sort_of(kind)
        if sort == "named":
            return ("n", value.__module__, value.__qualname__)
        if sort == "changing":
            number = self.numbers.get(id(value))
            if number is not None:
                return (number,)
            self.numbers[id(value)] = len(self.numbers)
        self.queue.append(value)
        return NEW

    def each(self, values: Iterable[Any]) -> None:
        """The tokens of values, one each."""
        atoms, token = ATOMS, self.token
        self.tokens += [value if type(value) in atoms else token(value) for value in values]

    def instance(self, value: Any) -> None:
        """An object of a class: its shape, which is the class and the names of the attributes, then their values."""
        kind = type(value)
        strip = strip_of(kind)
        if strip is not None and (stripped := strip(value)) is not None:
            self.attributes(kind, stripped)
        elif PLAIN.get(kind):
            self.attributes(kind, value.__dict__)
        elif isinstance(value, np.generic):
            self.tokens.append(("scalar", value.dtype.str, value.tobytes()))
        else:
            reduced = value.__reduce_ex__(4)
            if kind not in PLAIN:
                PLAIN[kind] = _is_plain(value, reduced)
            self.reduced(kind, reduced)

    def attributes(self, kind: type[Any], attributes: dict[str, Any]) -> None:
        """A shape is written out when it is met first, and has a number from then on."""
        shape = (kind, *attributes)
        number = self.shapes.get(shape)
        if number is None:
            number = self.shapes[shape] = len(self.shapes)
            self.tokens.append(("shape", kind.__module__, kind.__qualname__, *attributes))
        self.tokens.append(number)
        self.each(attributes.values())

    def reduced(self, kind: type[Any], reduced: str | tuple[Any, ...]) -> None:
        """What pickle would write: how the object is made, from what, and what is then put into it."""
        if isinstance(reduced, str):
            self.tokens.append(("global", kind.__module__, reduced))
            return
        make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        if make is copyreg.__newobj__ and arguments == (kind,) and items is None and pairs is None:  # type: ignore[attr-defined]
            slots = None
            if type(state) is tuple and len(state) == 2:
                state, slots = state
            if (state is None or type(state) is dict) and (slots is None or type(slots) is dict):
                self.attributes(kind, (state or {}) | (slots or {}))
                return
        listed, mapped = list(items or ()), list(chain.from_iterable(pairs or ()))
        self.tokens.append(("r", kind.__module__, kind.__qualname__, len(arguments), len(listed), len(mapped)))
        self.each((make, *arguments, state, *listed, *mapped))

    def mapping(self, value: Any, *head: Any) -> None:
        """A dict: its keys in their order, then its values."""
        self.tokens.append(("d", *head, len(value)))
        for part in (value, value.values()):
            if ATOMS.issuperset(map(type, part)):
                self.tokens += part
            else:
                self.each(part)

    def sequence(self, value: Any, *head: Any) -> None:
        """A list: its items; as they are where they are rows of plain values, as in a window."""
        kinds = set(map(type, value))
        if kinds <= ATOMS:
            self.tokens.append(("l", *head, len(value)))
            self.tokens += value
        elif kinds == ROWS and ATOMS.issuperset(map(type, chain.from_iterable(value))):
            self.tokens.append(("rows", *head, len(value)))
            self.tokens += value
        else:
            self.tokens.append(("l", *head, len(value)))
            self.each(value)

    def elements(self, value: Any) -> None:
        """A set: its elements in the order of their own digests."""
        self.tokens.append((type(value).__name__, len(value)))
        if ATOMS.issuperset(map(type, value)):
            self.tokens += sorted(marshal.dumps(element, 2) for element in value)
        elif id(value) in self.within:
            self.tokens.append("within")
        else:
            within = self.within | {id(value)}
            self.each(sorted(value, key=lambda element: _Walk(within).digest(element)))

    def array(self, value: Any) -> None:
        """An array: type, shape and bytes."""
        dtype = value.dtype
        self.tokens.append(("array", dtype.str if dtype.names is None else repr(dtype), value.shape))
        if dtype.hasobject:
            self.each(value.ravel().tolist())
        else:
            self.tokens.append(value.tobytes())

    def method(self, value: Any) -> None:
        """A function bound to an object, or one of a module written in C."""
        bound = value.__self__
        self.tokens.append(("method", value.__name__))
        self.each((bound.__name__ if isinstance(bound, ModuleType) else bound,))

    def defaults(self, value: Any) -> None:
        """A dict and how it makes what is missing."""
        self.tokens.append("defaults")
        self.each((value.default_factory,))
        self.mapping(value)


ROWS = {tuple}
WRITERS: dict[type[Any], Callable[[_Walk, Any], None]] = {
    dict: _Walk.mapping,
    list: _Walk.sequence,
    tuple: lambda walk, value: walk.sequence(value, "tuple"),
    deque: lambda walk, value: walk.sequence(value, "deque", value.maxlen),
    set: _Walk.elements,
    frozenset: _Walk.elements,
    defaultdict: _Walk.defaults,
    Counter: lambda walk, value: walk.mapping(value, "Counter"),
    OrderedDict: lambda walk, value: walk.mapping(value, "OrderedDict"),
    bytearray: lambda walk, value: walk.tokens.append(("bytearray", bytes(value))),
    random.Random: lambda walk, value: walk.tokens.append(("random", value.getstate())),
    np.ndarray: _Walk.array,
    MethodType: _Walk.method,
    BuiltinFunctionType: _Walk.method,
}

SORTS: dict[type[Any], str] = {FunctionType: "named"}
"""Whether values of a type are named, settled (no one can change them) or changing; filled as types are met."""

PLAIN: dict[type[Any], bool] = {}
"""Whether objects of a class are their `__dict__` and nothing else; filled as classes are met."""

REDUCING = ("__reduce_ex__", "__reduce__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")


def _sort_of(kind: type[Any]) -> str:
    struct = getattr(kind, "__struct_config__", None)
    if issubclass(kind, type):
        sort = "named"
    elif (issubclass(kind, SETTLED) and kind.__dictoffset__ == 0) or (struct is not None and struct.frozen):
        sort = "settled"
    else:
        sort = "changing"
    SORTS[kind] = sort
    return sort


def _is_plain(value: Any, reduced: Any) -> bool:
    kind = type(value)
    usual = all(getattr(kind, name, None) is getattr(object, name, None) for name in REDUCING)
    slots = any(vars(base).get("__slots__") for base in kind.__mro__)
    new = reduced[:2] == (copyreg.__newobj__, (kind,)) and not any(reduced[3:])  # type: ignore[attr-defined]
    return bool(usual and not slots and new and hasattr(value, "__dict__"))
