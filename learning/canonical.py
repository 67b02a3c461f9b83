"""The canonical form of a state: equal states have it in common, wherever and however they came to be."""

import copyreg
import hashlib
import marshal
import random
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import chain
from types import BuiltinFunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from learning.codec import strip_of
from learning.kinds import CHANGING, PLAIN, is_plain, sort_of

ATOMS = frozenset({type(None), bool, int, float, str, bytes})
NEW = ...
"""Stands where an object is met for the first time: it is the next one in the queue."""

CHUNK = 1 << 16
"""Tokens hashed at a time, some 500 KB of them: bounds the memory that a large forest's digest takes."""


class Walk:
    """Writes an object graph as one flat sequence of tokens, breadth first, so that no depth or cycle can stop it.

    An object that may change has a number, the place at which it was first met; where it is met again, the number stands for it. What
    an object holds follows in its turn. Each head says how many tokens belong to it, so no two graphs have the same tokens.
    """

    def __init__(self, within: frozenset[int] = frozenset()):
        self.within = within  # the sets whose elements are being put in order
        self.tokens: list[Any] = []
        self.queue: list[Any] = []  # what it holds cannot be freed, or an id would be met again
        self.numbers: dict[int, int] = {}
        self.shapes: dict[tuple[Any, ...], int] = {}

    def digest(self, value: object) -> bytes:
        """SHA-256 of the tokens."""
        sha = hashlib.sha256()
        tokens, writers, plain = self.tokens, WRITERS, PLAIN
        self.each((value,))
        for met in self.queue:  # which grows
            kind = type(met)
            if plain.get(kind):
                self.attributes(kind, met.__dict__)
            elif (write := writers.get(kind)) is not None:
                write(self, met)
            else:
                self.instance(met)
            if len(tokens) > CHUNK:
                sha.update(marshal.dumps(tokens, 2))
                tokens.clear()
        sha.update(marshal.dumps(tokens, 2))  # version 2 knows no references: equal values give equal bytes
        return sha.digest()

    def each(self, values: Iterable[Any]) -> None:
        """The tokens of values, one each."""
        atoms, changing, numbers, append = ATOMS, CHANGING, self.numbers, self.tokens.append
        for value in values:
            kind = type(value)
            if kind in atoms:
                append(value)
            elif kind in changing:
                number = numbers.get(id(value))
                if number is None:
                    numbers[id(value)] = len(numbers)
                    self.queue.append(value)
                    append(NEW)
                else:
                    append((number,))
            else:
                append(self.token(value))

    def token(self, value: Any) -> Any:
        """What stands for a value that is no atom; it is queued, unless it can be named or was met before."""
        kind = type(value)
        if kind is tuple and ATOMS.issuperset(map(type, value)):
            return ("t", *value)
        sort = sort_of(kind)
        if sort == "named":
            return ("n", value.__module__, value.__qualname__)
        if sort == "changing":
            number = self.numbers.get(id(value))
            if number is not None:
                return (number,)
            self.numbers[id(value)] = len(self.numbers)
        self.queue.append(value)
        return NEW

    def instance(self, value: Any) -> None:
        """An object of a class."""
        kind = type(value)
        strip = strip_of(kind)
        if strip is not None and (stripped := strip(value)) is not None:
            self.attributes(kind, stripped)
        elif isinstance(value, np.generic):
            self.tokens += ("scalar", value.dtype.str, value.tobytes())
        elif strip is None and is_plain(value):
            self.attributes(kind, value.__dict__)
        else:
            self.reduced(kind, value.__reduce_ex__(4))

    def attributes(self, kind: type[Any], attributes: dict[str, Any]) -> None:
        """An object's shape, which is its class and the names of its attributes, then their values.

        A shape is written out when it is met first, and has a number from then on.
        """
        shape = (kind, *attributes)
        number = self.shapes.get(shape)
        if number is None:
            number = self.shapes[shape] = len(self.shapes)
            self.tokens += ("shape", len(attributes), kind.__module__, kind.__qualname__, *attributes)
        self.tokens.append(number)
        self.each(attributes.values())

    def reduced(self, kind: type[Any], reduced: str | tuple[Any, ...]) -> None:
        """What pickle would write: how the object is made, from what, and what is then put into it."""
        if isinstance(reduced, str):
            self.tokens += ("global", kind.__module__, reduced)
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
        self.tokens += ("made", kind.__module__, kind.__qualname__, len(arguments), len(listed), len(mapped))
        self.each((make, *arguments, state, *listed, *mapped))

    def mapping(self, value: Any, kind: str = "dict") -> None:
        """A dict: its keys in their order, then its values."""
        self.tokens += (kind, len(value))
        for part in (value, value.values()):
            if ATOMS.issuperset(map(type, part)):
                self.tokens += part
            else:
                self.each(part)

    def defaults(self, value: Any) -> None:
        """A dict and how it makes what is missing."""
        self.tokens.append("defaults")
        self.each((value.default_factory,))
        self.mapping(value)

    def sequence(self, value: Any, *kind: Any) -> None:
        """A list: its items; as they are where they are rows of plain values, as in a window."""
        types = set(map(type, value))
        rows = types == ROWS and ATOMS.issuperset(map(type, chain.from_iterable(value)))
        self.tokens += ("rows" if rows else "list", *kind, len(value))
        if rows or types <= ATOMS:
            self.tokens += value
        else:
            self.each(value)

    def elements(self, value: Any) -> None:
        """A set: its elements in the order of their own digests."""
        self.tokens += (type(value).__name__, len(value))
        if ATOMS.issuperset(map(type, value)):
            self.tokens += sorted(marshal.dumps(element, 2) for element in value)
        elif id(value) in self.within:
            self.tokens.append("within")
        else:
            within = self.within | {id(value)}
            self.each(sorted(value, key=lambda element: Walk(within).digest(element)))

    def array(self, value: Any) -> None:
        """An array: type, shape and bytes."""
        dtype = value.dtype
        self.tokens += ("array", dtype.str if dtype.names is None else repr(dtype), value.shape)
        if dtype.hasobject:
            self.each(value.ravel().tolist())
        else:
            self.tokens.append(value.tobytes())

    def method(self, value: Any) -> None:
        """A function bound to an object, or one of a module written in C."""
        bound = value.__self__
        self.tokens += ("method", value.__name__)
        self.each((bound.__name__ if isinstance(bound, ModuleType) else bound,))


ROWS = {tuple}
WRITERS: dict[type[Any], Callable[[Walk, Any], None]] = {
    dict: Walk.mapping,
    list: Walk.sequence,
    tuple: lambda walk, value: walk.sequence(value, "tuple"),
    deque: lambda walk, value: walk.sequence(value, "deque", value.maxlen),
    set: Walk.elements,
    frozenset: Walk.elements,
    defaultdict: Walk.defaults,
    Counter: lambda walk, value: walk.mapping(value, "Counter"),
    OrderedDict: lambda walk, value: walk.mapping(value, "OrderedDict"),
    bytearray: lambda walk, value: walk.tokens.extend(("bytearray", bytes(value))),
    random.Random: lambda walk, value: walk.tokens.extend(("random", value.getstate())),
    np.ndarray: Walk.array,
    MethodType: Walk.method,
    BuiltinFunctionType: Walk.method,
}
