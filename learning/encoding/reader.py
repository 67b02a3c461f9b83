"""The reader: builds the object graph of an encoding, or refuses it. It calls nothing that an encoding names."""

import functools
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from headrace.learning.encoding import table
from headrace.learning.encoding.arrays import build_array, build_scalar
from headrace.learning.encoding.form import (
    DEPTH,
    DEQUE,
    FRAME_BYTES,
    NUMBER_BYTES,
    PLAIN,
    SIZE,
    SORTS,
    VALUES,
    Code,
    TooDeepError,
    drained,
)
from headrace.learning.encoding.table import LEAF_BY_TAG, Shape, shape_of

COLLIDING = 100
"""The most keys of a dict, or elements of a set, that may all have the same hash."""

unpack = msgspec.msgpack.Decoder(list[Any]).decode


class Unreadable(Exception):
    """The bytes are no encoding, or name a class or function that a state may not hold; `what` is the reason, as part of a sentence."""

    def __init__(self, what: str):
        super().__init__(what)
        self.what = what


def _fill(made: Any, shape: Shape, names: list[str], values: list[Any]) -> None:
    """Set the attributes of an object."""
    if shape.slots:
        for name, value in zip(names, values, strict=True):
            setter = shape.slots.get(name)
            if setter is None:
                made.__dict__[name] = value
            else:
                setter(made, value)
    else:
        made.__dict__.update(zip(names, values, strict=True))
    if shape.stripped is not None:
        shape.stripped.complete(made)


def _check_hashes(keys: Collection[Any]) -> None:
    """Raise Unreadable if many keys have the same hash: such keys were chosen to make each insertion compare all of them."""
    if len(keys) > COLLIDING and not {str}.issuperset(map(type, keys)) and len(set(map(hash, keys))) * 4 < len(keys):
        raise Unreadable("its keys are chosen to have the same hashes")


def _put(made: dict[Any, Any], pairs: Iterable[tuple[Any, Any]]) -> None:
    """Put pairs into a dict."""
    if type(made) is OrderedDict:
        made.update(pairs)
    else:
        dict.update(made, pairs)  # a Counter's own would add


def _count(count: Any) -> int:
    if type(count) is not int or not 0 <= count <= SIZE:
        raise Unreadable("a length is none")
    return count


def _large(reader: "Reader", token: list[Any]) -> int:
    reader.made -= 1  # it holds no other value, and the writer does not count it
    data = _bytes(token)
    if not 8 <= len(data) <= NUMBER_BYTES:
        raise Unreadable("a whole number is none")
    return int.from_bytes(data, "little", signed=True)


def _bytes(token: list[Any]) -> bytes:
    _, data = token
    if type(data) is not bytes:
        raise Unreadable("bytes are missing")
    return data


def _text(reader: "Reader", token: list[Any]) -> str:
    reader.made -= 1
    return _bytes(token).decode("utf-8", "surrogatepass")


class Reader:
    """Reads one encoding.

    Parameters
    ----------
    data
        The encoding.
    own_modules
        Modules of a user's own: the classes and functions that they define or declare may be in it too.
    size
        Bytes that it may have.
    """

    def __init__(self, data: bytes, own_modules: Sequence[str] = (), size: int = SIZE):
        if len(data) > size:
            raise Unreadable(f"it has {len(data):,} bytes, and at most {size:,} are read")
        self.data, self.at, self.own = memoryview(data), 0, table.own_of(own_modules)
        self.tokens: list[Any] = []
        self.next = 0
        self.met: list[Any] = []
        self.shapes: list[tuple[Shape, list[str]]] = []
        self.queue: deque[Callable[[], None]] = deque()
        self.depth = 0
        self.made = 0
        self.in_factory = False

    def read(self) -> Any:
        """Read the whole encoding and return its value."""
        value = self.value(self.take(1)[0])
        try:
            for fill in drained(self.queue):
                fill()
        except TooDeepError:
            raise Unreadable("values lie within each other too deep") from None
        if self.next < len(self.tokens) or self.at < len(self.data):
            raise Unreadable("there is more in it than one value")
        return value

    def take(self, count: int) -> list[Any]:
        """Take the next `count` tokens."""
        end = self.next + count
        if end <= len(self.tokens):
            part = self.tokens[self.next : end]
            self.next = end
            return part
        part = self.tokens[self.next :]
        while len(part) < count:
            self.tokens, self.next = self.frame(), 0
            lacking = count - len(part)
            part += self.tokens[:lacking]
            self.next = min(lacking, len(self.tokens))
        return part

    def frame(self) -> list[Any]:
        """Unpack the tokens of the next frame."""
        start = self.at + 4
        end = start + int.from_bytes(self.data[self.at : start], "big")
        if start >= end or end > len(self.data):
            raise Unreadable("its end is missing")
        if end - start > FRAME_BYTES:
            raise Unreadable("a frame is too long")
        self.at = end
        return unpack(self.data[start:end])

    def values(self, count: int) -> list[Any]:
        """Return the values of the next `count` tokens."""
        tokens = self.take(count)
        if PLAIN.issuperset(map(type, tokens)):
            return tokens
        return [token if type(token) in PLAIN else self.value(token) for token in tokens]

    def value(self, token: Any) -> Any:
        """Return the value that a token represents; its contents may be filled in later."""
        kind = type(token)
        if kind is list:
            self.depth += 1
            if self.depth > DEPTH + 8:
                raise Unreadable("values lie within each other too deep")
            self.weigh(1)
            value = self._readers[token[0]](self, token)
            self.depth -= 1
            return value
        if kind is dict:
            if not PLAIN.issuperset(map(type, token.values())) or not {str}.issuperset(map(type, token)):
                raise Unreadable("a map holds more than plain values")
            self.weigh(1)
            self.met.append(token)
            return token
        if kind in PLAIN:
            return token
        raise Unreadable("it has a value of MessagePack that is none of its own")

    def weigh(self, values: int) -> None:
        """Count values that hold others, and raise Unreadable if there are too many."""
        self.made += values
        if self.made > VALUES:
            raise Unreadable(f"it has more than {VALUES:,} values that hold others")

    def within(self, tokens: Any) -> list[Any]:
        """Return the values of tokens that are inside another token."""
        if type(tokens) is not list:
            raise Unreadable("a list is missing")
        return [token if type(token) in PLAIN else self.value(token) for token in tokens]

    def _read_met(self, token: list[Any]) -> Any:
        _, number = token
        if type(number) is not int or number < 0:
            raise Unreadable("a number of a value is none")
        return self.met[number]

    def _read_shape(self, token: list[Any]) -> Any:
        _, tag, names, *values = token
        kind = table.find(tag, self.own) if type(tag) is str else None
        shape = shape_of(kind) if isinstance(kind, type) else None
        if shape is None:
            raise Unreadable(f"it names {str(tag)[:200]!r}, which is no class that a state may consist of")
        if type(names) is not list or len(set(names)) != len(names):
            raise Unreadable("the names of attributes are none")
        shape.check(names)
        names = [sys.intern(name) for name in names]
        self.shapes.append((shape, names))
        return self._instance(shape, names, values)

    def _read_like(self, token: list[Any]) -> Any:
        _, number, *values = token
        if type(number) is not int or number < 0:
            raise Unreadable("a number of a shape is none")
        return self._instance(*self.shapes[number], values)

    def _instance(self, shape: Shape, names: list[str], values: list[Any]) -> Any:
        made = object.__new__(shape.kind)
        self.met.append(made)
        if len(values) == len(names):
            _fill(made, shape, names, self.rows(values))
        elif values:
            raise Unreadable("an object has another number of values than attributes")
        else:
            self.queue.append(lambda: _fill(made, shape, names, self.values(len(names))))
        return made

    def _read_list(self, token: list[Any]) -> Any:
        made: list[Any] = []
        self.met.append(made)
        made += self.rows(token[1:])
        return made

    def _read_list_block(self, token: list[Any]) -> Any:
        _, count = token
        made: list[Any] = []
        self.met.append(made)
        self.queue.append(lambda: made.extend(self.values(_count(count))))
        return made

    def rows(self, tokens: list[Any]) -> list[Any]:
        """Return the values inside a token that are not in a block: plain values, and tuples of them."""
        if PLAIN.issuperset(map(type, tokens)):
            return tokens
        return list(map(self.fixed, tokens))

    def _read_dict(self, token: list[Any]) -> Any:
        _, sort, factory, *held = token
        made = self.dict_of(sort, factory)
        if len(held) == 1 and type(held[0]) is dict:
            keys, values = list(held[0]), list(held[0].values())
        else:
            keys, values = map(self.within, held)
        if len(keys) != len(values) or not PLAIN.issuperset(map(type, (*keys, *values))):
            raise Unreadable("a dict holds more than plain values in its token")
        _put(made, zip(keys, values, strict=True))
        return made

    def _read_dict_block(self, token: list[Any]) -> Any:
        _, sort, factory, count = token
        made, count = self.dict_of(sort, factory), _count(count)

        def fill() -> None:
            keys = self.take(count)
            if not PLAIN.issuperset(map(type, keys)):
                keys = [key if type(key) in PLAIN else self.fixed(key) for key in keys]
            _check_hashes(keys)
            _put(made, zip(keys, self.values(count), strict=True))

        self.queue.append(fill)
        return made

    def dict_of(self, sort: Any, factory: Any) -> dict[Any, Any]:
        """Make an empty dict of one of the sorts."""
        made: dict[Any, Any]
        if type(sort) is not int or not 0 <= sort < len(SORTS):
            raise Unreadable("a dict of no sort")
        made = (dict, Counter, OrderedDict, defaultdict)[sort]()
        self.met.append(made)
        if factory is not None:
            if type(made) is not defaultdict or type(factory) is not list or not factory:
                raise Unreadable("a dict whose default is made by nothing")
            if self.in_factory:
                raise Unreadable("a dict whose default is made by what holds another such dict")
            self.in_factory = True
            made.default_factory = self.value(factory)
            self.in_factory = False
            if not callable(made.default_factory):
                raise Unreadable("a dict whose default is made by nothing")
        return made

    def _read_deque(self, token: list[Any]) -> Any:
        made = self._deque_of(token[1])
        made.extend(self.rows(token[2:]))
        return made

    def _read_deque_block(self, token: list[Any]) -> Any:
        _, most, count = token
        made = self._deque_of(most)
        self.queue.append(lambda: made.extend(self.values(_count(count))))
        return made

    def _deque_of(self, most: Any) -> "deque[Any]":
        self.weigh(DEQUE - 1)
        if most is not None and (type(most) is not int or not 0 <= most < 1 << 63):
            raise Unreadable("the greatest length of a deque is none")
        made: deque[Any] = deque(maxlen=most)
        self.met.append(made)
        return made

    def _read_set(self, token: list[Any]) -> Any:
        _, count = token
        made: set[Any] = set()
        self.met.append(made)

        def fill() -> None:
            elements = list(map(self.fixed, self.take(_count(count))))
            _check_hashes(elements)
            made.update(elements)

        self.queue.append(fill)
        return made

    def fixed(self, token: Any) -> Any:
        """Return a key of a dict or an element of a set: a plain value, or a tuple or a frozenset of such values."""
        if type(token) in PLAIN:
            return token
        if type(token) is list and token[0] == Code.TUPLE:
            self.weigh(1)
            return tuple(map(self.fixed, token[1:]))
        if type(token) is list and token[0] == Code.FROZENSET:
            self.weigh(1)
            elements = list(map(self.fixed, token[1:]))
            _check_hashes(elements)
            return frozenset(elements)
        if type(token) is list and token[0] in (Code.LARGE, Code.TEXT):
            return self.value(token)
        raise Unreadable("it has what may change where only what cannot may stand")

    def _read_partial(self, token: list[Any]) -> Any:
        _, function, arguments, names, keywords = token
        function, positional = self.value(function), self.within(arguments)
        named = dict(zip(names, self.within(keywords), strict=True))
        if not {str}.issuperset(map(type, named)):
            raise Unreadable("the names of arguments are none")
        if not table.takes(function, (*positional, *named.values()), self.own):
            raise Unreadable("a function has arguments that is none, or may have none like these")
        return functools.partial(function, *positional, **named)

    def _read_method(self, token: list[Any]) -> Any:
        _, owner, name = token
        resolved = table.method(self.value(owner), name) if type(name) is str else None
        if resolved is None:
            raise Unreadable(f"it names the method {str(name)[:200]!r}, which no object may hold")
        return resolved

    def _read_name(self, token: list[Any]) -> Any:
        _, name = token
        resolved = table.find(name, self.own) if type(name) is str else None
        if resolved is None:
            raise Unreadable(f"it names {str(name)[:200]!r}, which a state may not consist of")
        return resolved

    def _read_leaf(self, token: list[Any]) -> Any:
        _, tag, *parts = token
        leaf = LEAF_BY_TAG.get(tag) if type(tag) is str else None
        if leaf is None:
            raise Unreadable(f"it names {str(tag)[:200]!r}, which is nothing that a state may consist of")
        made = leaf.build(parts)
        if leaf.changes:
            self.met.append(made)
        return made

    def _read_named_tuple(self, token: list[Any]) -> Any:
        _, tag, *tokens = token
        kind = table.find(tag, self.own) if type(tag) is str else None
        fields = getattr(kind, "_fields", None)
        if not (isinstance(kind, type) and issubclass(kind, tuple)) or fields is None or len(fields) != len(tokens):
            raise Unreadable(f"it names {str(tag)[:200]!r}, which is no tuple of {len(tokens)} fields")
        return tuple.__new__(kind, self.within(tokens))

    def keep(self, value: Any) -> Any:
        """Number a value, so that later tokens can refer to it, and return it."""
        self.met.append(value)
        return value

    _readers: ClassVar[dict[int, Callable[[Any, list[Any]], Any]]] = {
        Code.MET: _read_met,
        Code.SHAPE: _read_shape,
        Code.LIKE: _read_like,
        Code.LIST: _read_list,
        Code.LIST_BLOCK: _read_list_block,
        Code.DICT: _read_dict,
        Code.DICT_BLOCK: _read_dict_block,
        Code.DEQUE: _read_deque,
        Code.DEQUE_BLOCK: _read_deque_block,
        Code.SET: _read_set,
        Code.FROZENSET: lambda reader, token: frozenset(map(reader.fixed, token[1:])),
        Code.TUPLE: lambda reader, token: tuple(reader.within(token[1:])),
        Code.NAMED_TUPLE: _read_named_tuple,
        Code.LARGE: _large,
        Code.TEXT: _text,
        Code.BYTES: lambda reader, token: reader.keep(bytearray(_bytes(token))),
        Code.ARRAY: lambda reader, token: reader.keep(build_array(*token[1:])),
        Code.SCALAR: lambda _, token: build_scalar(*token[1:]),
        Code.NAME: _read_name,
        Code.METHOD: _read_method,
        Code.PARTIAL: _read_partial,
        Code.LEAF: _read_leaf,
    }
