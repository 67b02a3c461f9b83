"""The writer: encodes an object graph."""

import functools
import hashlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import msgspec
import numpy as np

from headrace.learning.encoding import table
from headrace.learning.encoding.arrays import DTYPES, take_array
from headrace.learning.encoding.form import (
    DEPTH,
    DEQUE,
    FRAME,
    FRAME_BYTES,
    INLINE,
    LEVELS,
    NUMBER_BYTES,
    PLAIN,
    SIZE,
    SORTS,
    VALUES,
    Code,
    TooDeepError,
    drained,
)
from headrace.learning.encoding.table import LEAF_OF, Shape, shape_of, tag_of

pack = msgspec.msgpack.Encoder().encode

# Plain numbers, because msgspec packs them faster than members of an enumeration.
MET, SHAPE, LIKE, LIST, LIST_BLOCK, DICT, DICT_BLOCK = map(
    int, (Code.MET, Code.SHAPE, Code.LIKE, Code.LIST, Code.LIST_BLOCK, Code.DICT, Code.DICT_BLOCK)
)
TUPLE_OF_PLAIN = {tuple}

PARTS = 64
"""The number of dicts that hold the values met so far. Growing or freeing one large dict would block for 50 ms and more."""


class Unwritable(Exception):
    """A state holds an object that cannot be written; `what` names the object, as part of a sentence."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


class Writer:
    """Writes one value, breadth first, so that cycles do no harm. A value that exceeds a reader's limits is refused.

    Mutable values are numbered in the order in which they are met. When a value is met again, its number is written.
    """

    def __init__(self) -> None:
        self.tokens: list[Any] = []
        self.weight = 0
        self.queue: deque[tuple[Callable[..., None], Any]] = deque()
        self.numbers: list[dict[int, int]] = [{} for _ in range(PARTS)]
        self.count = 0
        self.kept: list[Any] = []
        self.shapes: dict[tuple[Any, ...], int] = {}
        self.names: set[str] = set()
        self.depth = 0
        self.made = self.size = 0
        self.in_factory = False
        self.owners: dict[int, Any] = {}

    def frames(self, value: object) -> Iterator[bytes]:
        """Yield the frames of a value, each with its length before it."""
        self.each((value,))
        try:
            for write, met in drained(self.queue):
                write(met)
                if len(self.tokens) + self.weight >= FRAME:
                    yield from self.flush(FRAME)
        except TooDeepError:
            raise Unwritable(f"values that lie within each other more than {LEVELS} deep") from None
        yield from self.flush(1)
        for numbers in self.numbers:
            numbers.clear()

    def flush(self, least: int) -> Iterator[bytes]:
        """Yield the collected tokens as frames; keep a rest of fewer than `least` plain values for the next frame."""
        tokens, at = self.tokens, 0
        while len(tokens) - at + self.weight >= least and at < len(tokens):
            part = tokens[at : at + FRAME]
            at += len(part)
            self.weight = 0
            yield from self.packed(part)
        del tokens[:at]

    def packed(self, tokens: list[Any]) -> Iterator[bytes]:
        """Yield tokens as one frame, or as several if one would be too long."""
        data = _pack(tokens)
        if len(data) > FRAME_BYTES:
            if len(tokens) == 1:
                raise Unwritable(f"a value of {len(data):,} bytes; at most {FRAME_BYTES:,} are read")
            half = len(tokens) // 2
            yield from self.packed(tokens[:half])
            yield from self.packed(tokens[half:])
            return
        self.size += len(data) + 4
        if self.size > SIZE:
            raise Unwritable(f"more than {SIZE:,} bytes")
        if self.made > VALUES:
            raise Unwritable(f"more than {VALUES:,} values that hold others")
        yield len(data).to_bytes(4, "big") + data

    def each(self, values: Iterable[Any]) -> None:
        """Add one token for each value."""
        append, token = self.tokens.append, self.token
        for value in values:
            append(value if type(value) in PLAIN else token(value))

    def token(self, value: Any) -> Any:
        """Return the token of a value that is not plain."""
        self.made += 1
        kind: type[Any] = type(value)
        write = WRITERS.get(kind)
        if write is not None:
            return write(self, value)
        shape = shape_of(kind)
        return self.other(value) if shape is None else self.instance(value, shape)

    def number(self, value: Any) -> Any:
        """Return the token of a value that was met before; otherwise number the value and return None."""
        numbers = self.numbers[id(value) >> 6 & PARTS - 1]
        number = numbers.get(id(value))
        if number is not None:
            return (MET, number)
        numbers[id(value)] = self.count
        self.count += 1
        self.kept.append(value)  # keeps it alive, because Python may reuse the id of a freed value
        return None

    def instance(self, value: Any, shape: Shape) -> Any:
        """An object of a class."""
        if (met := self.number(value)) is not None:
            return met
        if shape.stripped is not None:
            attributes = shape.stripped.take(value)
        elif shape.slots:
            attributes = dict(getattr(value, "__dict__", {}))
            attributes |= {name: getattr(value, name) for name in shape.slots if hasattr(value, name)}
        else:
            attributes = value.__dict__
        values = attributes.values()
        key = (shape.kind, *attributes)
        known = self.shapes.get(key)
        if known is None:
            self.shapes[key] = len(self.shapes)
            try:
                shape.check(attributes)
            except ValueError as error:
                raise Unwritable(str(error)) from None
            head: tuple[Any, ...] = (SHAPE, shape.tag, list(attributes))
        else:
            head = LIKE, known
        if PLAIN.issuperset(map(type, values)):
            self.weight += len(attributes)
            return (*head, *values)
        self.queue.append((self.each, values))
        return head

    def mapping(self, value: Any, sort: int) -> Any:
        """A dict of one of four sorts."""
        if (met := self.number(value)) is not None:
            return met
        factory = None
        if sort == SORTS.index("defaultdict") and value.default_factory is not None:
            if self.in_factory:
                raise Unwritable("a defaultdict whose default is made by what holds another one")
            self.in_factory = True
            factory = self.token(value.default_factory)
            self.in_factory = False
        if len(value) <= INLINE and PLAIN.issuperset(map(type, value.values())) and {str}.issuperset(map(type, value)):
            self.weight += len(value)
            return value if sort == 0 else (DICT, sort, factory, dict(value))
        self.queue.append((self.pairs, value))
        return (DICT_BLOCK, sort, factory, len(value))

    def pairs(self, value: Any) -> None:
        """The block of a dict: its keys in their order, then its values."""
        if PLAIN.issuperset(map(type, value)):
            self.tokens += value
        else:
            self.tokens += map(self.fixed, value)
        if PLAIN.issuperset(map(type, value.values())):
            self.tokens += value.values()
        else:
            self.each(value.values())

    def sequence(self, value: Any, inline: tuple[Any, ...], block: tuple[Any, ...]) -> Any:
        """A list or a deque: rows of plain values as they are, as in a window; otherwise a block."""
        if (met := self.number(value)) is not None:
            return met
        if len(value) <= INLINE:
            types = set(map(type, value))
            if types <= PLAIN:
                self.weight += len(value)
                return (*inline, *value)
            if types == TUPLE_OF_PLAIN and PLAIN.issuperset(map(type, chain.from_iterable(value))):
                self.weight += sum(map(len, value))
                self.made += len(value)
                return (*inline, *((Code.TUPLE, *row) for row in value))
        self.queue.append((self.items, value))
        return (*block, len(value))

    def deque(self, value: Any) -> Any:
        """A deque."""
        self.made += DEQUE - 1
        return self.sequence(value, (Code.DEQUE, value.maxlen), (Code.DEQUE_BLOCK, value.maxlen))

    def items(self, value: Any) -> None:
        """The block of a list or a deque."""
        if PLAIN.issuperset(map(type, value)):
            self.tokens += value
        else:
            self.each(value)

    def elements(self, value: Any) -> Any:
        """A set, whose elements are put in order."""
        if (met := self.number(value)) is not None:
            return met
        self.queue.append((self.tokens.extend, self.ordered(value)))
        return (Code.SET, len(value))

    def ordered(self, value: Any) -> list[Any]:
        """The tokens of a set's elements, in the order of their own encodings."""
        tokens = value if PLAIN.issuperset(map(type, value)) else map(self.fixed, value)
        return [token for _, token in sorted((_pack((token,)), token) for token in tokens)]

    def fixed(self, value: Any) -> Any:
        """Return the token of a key or an element: a plain value, or a tuple or a frozenset of such values."""
        kind = type(value)
        if kind in PLAIN:
            return value
        if kind is tuple:
            self.made += 1
            return (Code.TUPLE, *map(self.fixed, value))
        if kind is frozenset:
            self.made += 1
            return (Code.FROZENSET, *self.ordered(value))
        raise Unwritable(f"a key or an element of a set that is a {_name(kind)}")

    def row(self, value: Any, head: tuple[Any, ...] = (Code.TUPLE,)) -> Any:
        """A tuple, with what it holds."""
        if PLAIN.issuperset(map(type, value)):
            self.weight += len(value)
            return (*head, *value)
        return (*head, *self.within(value))

    def within(self, values: Iterable[Any]) -> list[Any]:
        """Return the tokens of values that are inside another token."""
        self.depth += 1
        if self.depth > DEPTH:
            raise Unwritable(f"tuples that lie within each other more than {DEPTH} deep")
        tokens = [value if type(value) in PLAIN else self.token(value) for value in values]
        self.depth -= 1
        self.weight += len(tokens)
        return tokens

    def array(self, value: Any) -> Any:
        """An array."""
        if (met := self.number(value)) is not None:
            return met
        owner = value
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if self.owners.setdefault(id(owner), value) is not value:
            raise Unwritable("two arrays that share their memory")
        self.kept.append(owner)
        self.weight += value.nbytes >> 3
        try:
            return (Code.ARRAY, *take_array(value))
        except ValueError as error:
            raise Unwritable(str(error)) from None

    def named(self, value: Any) -> Any:
        """A class or function."""
        tag = tag_of(value)
        if tag is None:
            raise Unwritable(f"{_name(value)}, which is not at the top level of a module or not known")
        self.names.add(tag)
        return (Code.NAME, tag)

    def method(self, value: Any) -> Any:
        """A function bound to an object."""
        if table.method(value.__self__, value.__name__) is None:
            raise Unwritable(f"the bound method {_name(value)}")
        return (Code.METHOD, *self.within([value.__self__]), value.__name__)

    def partial(self, value: Any) -> Any:
        """A function with some of its arguments."""
        if not table.takes(value.func, (*value.args, *value.keywords.values())):
            raise Unwritable(f"a functools.partial of {_name(value.func)} with these arguments")
        function, arguments = self.within([value.func]), self.within(value.args)
        return (Code.PARTIAL, *function, arguments, list(value.keywords), self.within(value.keywords.values()))

    def leaf(self, value: Any) -> Any:
        """A value that the table takes apart."""
        leaf = LEAF_OF[type(value)]
        if leaf.changes and (met := self.number(value)) is not None:
            return met
        try:
            parts = leaf.take(value)
        except ValueError as error:
            raise Unwritable(str(error)) from None
        self.weight += sum(len(part) for part in parts if type(part) in (dict, list, bytes))
        return (Code.LEAF, leaf.tag, *parts)

    def other(self, value: Any) -> Any:
        """Return the token of a value without an own writer: a named tuple, a number of NumPy, or a class."""
        kind = type(value)
        if isinstance(value, type):
            return self.named(value)
        if isinstance(value, np.generic) and value.dtype.str in DTYPES:
            return (Code.SCALAR, value.dtype.str, value.tobytes())
        if (
            isinstance(value, tuple)
            and hasattr(kind, "_fields")
            and not getattr(value, "__dict__", None)
            and tag_of(kind)
        ):
            return self.row(value, (Code.NAMED_TUPLE, tag_of(kind)))
        raise Unwritable(f"a {_name(kind)}{table.fault_of(kind)}")


def _name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', repr(thing)[:80])}"


def _pack(tokens: Any) -> bytes:
    """Pack tokens; replace the whole numbers and strings that MessagePack cannot hold."""
    try:
        return pack(tokens)
    except (OverflowError, UnicodeEncodeError):
        return pack(_replaced(tokens))


def _replaced(token: Any) -> Any:
    """Replace the whole numbers and strings in a token that MessagePack cannot hold; return any other token unchanged."""
    try:
        pack(token)
    except (OverflowError, UnicodeEncodeError):
        pass
    else:
        return token
    if type(token) is int:
        size = token.bit_length() // 8 + 1
        if size > NUMBER_BYTES:
            raise Unwritable(f"a whole number of {size} bytes")
        return (Code.LARGE, token.to_bytes(size, "little", signed=True))
    if type(token) is str:
        return (Code.TEXT, token.encode("utf-8", "surrogatepass"))
    if type(token) is dict:
        token = (Code.DICT, 0, None, token)
    if type(token) is tuple and token[0] == Code.LEAF:  # a list is a part of a token
        raise Unwritable(f"a {token[1]} with a number or a name that cannot be written")
    if type(token) is tuple and token[0] == Code.DICT:
        *head, held = token
        token = (*head, list(held), list(held.values()))
    return [_replaced(part) for part in token]


WRITERS: dict[type[Any], Callable[[Writer, Any], Any]] = {
    dict: lambda writer, value: writer.mapping(value, 0),
    Counter: lambda writer, value: writer.mapping(value, 1),
    OrderedDict: lambda writer, value: writer.mapping(value, 2),
    defaultdict: lambda writer, value: writer.mapping(value, 3),
    list: lambda writer, value: writer.sequence(value, (LIST,), (LIST_BLOCK,)),
    deque: Writer.deque,
    tuple: Writer.row,
    set: Writer.elements,
    frozenset: lambda writer, value: (Code.FROZENSET, *writer.ordered(value)),
    bytearray: lambda writer, value: writer.number(value) or (Code.BYTES, bytes(value)),
    np.ndarray: Writer.array,
    FunctionType: Writer.named,
    BuiltinFunctionType: Writer.named,
    type(str.lower): Writer.named,
    type: Writer.named,
    MethodType: Writer.method,
    functools.partial: Writer.partial,
} | dict.fromkeys(LEAF_OF, Writer.leaf)


def encode(value: object) -> bytes:
    """Encode a value: equal values give the same bytes in every process."""
    return b"".join(Writer().frames(value))


def digest_of(value: object) -> str:
    """Return the SHA-256 of a value's encoding, as 64 hex digits, without keeping the encoding in memory."""
    sha = hashlib.sha256()
    for frame in Writer().frames(value):
        sha.update(frame)
    return sha.hexdigest()
