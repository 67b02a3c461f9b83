"""The form of an encoding: the codes of tokens, and the limits of a reader.

An encoding is a sequence of frames: four bytes of length, then a MessagePack array of up to `FRAME` tokens. A token represents one value.
None, booleans, numbers, strings and bytes represent themselves: these are the plain values. A map is a dict of strings to plain values. An
array is any other value, and its first element is one of the codes below.
"""

from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from typing import TypeVar

Item = TypeVar("Item")

FRAME = 1 << 14
"""The approximate number of plain values in one frame, which is hashed and read in one call."""

INLINE = 1 << 12
"""The most plain values in one token; a longer list or dict is a block."""

FRAME_BYTES = 1 << 26
"""The most bytes of a frame. It is unpacked in one call, and may grow 56-fold if it holds only empty lists."""

DEPTH = 32
"""The deepest nesting of tuples."""

LEVELS = 1_000
"""The deepest nesting of lists, dicts and objects, along the shortest path. Python frees nested deques recursively, and a process whose
stack overflows is killed by a signal."""

VALUES = 1 << 24
"""The most values that hold others. The models of the catalogue have at most one for each 11 bytes of their encoding."""

DEQUE = 8
"""The number of values for which a deque counts, because an empty deque has room for 64."""

ARGUMENT_MAX = 1_000_000
"""The greatest whole number among the arguments of a function, because some arguments are lengths."""

RANGE_MAX = 10_000
"""The most numbers in a range."""

NUMBER_BYTES = 1 << 10
"""The most bytes of a whole number of more than 64 bits."""

SIZE = 1 << 28
"""The most bytes of an encoding, unless a reader sets another limit."""

PLAIN = frozenset({type(None), bool, int, float, str, bytes})
"""The types of plain values, which represent themselves."""


class TooDeepError(Exception):
    """Values are nested more than `LEVELS` deep."""


def drained(queue: deque[Item]) -> Iterator[Item]:
    """Yield the items of a queue, also those that are added meanwhile; raise TooDeepError when items have added items too many times over."""
    level, left = 0, len(queue)
    while queue:
        if not left:
            level, left = level + 1, len(queue)
            if level > LEVELS:
                raise TooDeepError
        left -= 1
        yield queue.popleft()


class Code(IntEnum):
    """The code of a token, which says what it represents.

    A *block* is the contents of a value that holds others. Its tokens come after the blocks of all earlier values (breadth first), so depth
    and cycles do no harm. A value that holds only plain values has them in its own token.
    """

    MET = 0
    """A value that was met before: its number. Values that can change are numbered in the order in which they are met."""
    SHAPE = 1
    """An object of a class: the class's tag, the names of its attributes; then their values, or a block."""
    LIKE = 2
    """An object of a shape that was met before: the shape's number; then the values, or a block."""
    LIST = 3
    """A list: its items."""
    LIST_BLOCK = 4
    """A list: its length; the items are a block."""
    DICT = 5
    """A dict: which sort, its default factory, and a map."""
    DICT_BLOCK = 6
    """A dict: which sort, its default factory, its length; a block of all keys, then all values."""
    DEQUE = 7
    """A deque: its greatest length, and its items."""
    DEQUE_BLOCK = 8
    """A deque: its greatest length, its length; a block of items."""
    SET = 9
    """A set: its length; a block of its elements, in the order of their own encodings."""
    FROZENSET = 10
    """A frozenset: its elements in that order."""
    TUPLE = 11
    """A tuple: its items."""
    NAMED_TUPLE = 12
    """A tuple of a class: the class's tag, and the items."""
    LARGE = 13
    """A whole number of more than 64 bits: its bytes, the highest last, signed."""
    TEXT = 14
    """A string that UTF-8 does not know, with half a surrogate pair: its bytes."""
    BYTES = 15
    """A bytearray: its bytes."""
    ARRAY = 16
    """An array of NumPy: its data type, its shape, its order (C by rows, F by columns), and its bytes."""
    SCALAR = 17
    """A number of NumPy: its data type and its bytes."""
    NAME = 18
    """A class or function: its name in the table."""
    METHOD = 19
    """A function bound to an object: the object, and the name of the method, which the table must have."""
    PARTIAL = 20
    """A function with some of its arguments: the function, the arguments, the names of further ones, and these."""
    LEAF = 21
    """A value that the table knows how to take apart and to build, such as a generator: the table's tag, and its parts."""


SORTS = ("dict", "Counter", "OrderedDict", "defaultdict")
"""The sorts of dicts, by their number."""
