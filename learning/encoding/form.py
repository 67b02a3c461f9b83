"""The form of an encoding: what the first number of a token says, and how much a reader takes.

An encoding is a sequence of frames: four bytes of length, then a MessagePack array of up to `FRAME` tokens. A token is what stands for
one value. None, booleans, numbers, strings and bytes stand for themselves; a map is a dict of strings to such plain values; an array
is anything else, and its first element, one of the codes below, says what.
"""

from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from typing import TypeVar

Item = TypeVar("Item")

FRAME = 1 << 14
"""Plain values in one frame, about: a frame is hashed, compressed and read at one go."""

INLINE = 1 << 12
"""Plain values that stand in one token at most; a longer list or dict is a block."""

FRAME_BYTES = 1 << 26
"""Bytes of a frame. It is unpacked at one go, into as much as 56 times its size where it holds nothing but empty lists."""

DEPTH = 32
"""Tuples within tuples."""

LEVELS = 1_000
"""Lists, dicts and objects within each other, counted along the shortest way. Python frees a deque in a deque by calling itself, and a
process whose stack is full ends by a signal."""

VALUES = 1 << 24
"""Values that hold others. The models of the catalogue have one in 11 bytes of their encoding or more."""

DEQUE = 8
"""How many other values a deque counts for: it has 64 places from the beginning."""

ARGUMENT_MAX = 1_000_000
"""The greatest whole number among the arguments of a function: some are lengths."""

RANGE_MAX = 10_000
"""Numbers in a range."""

NUMBER_BYTES = 1 << 10
"""Bytes of a whole number that has more than 64 bits."""

SIZE = 1 << 28
"""Bytes that an encoding may have, unless a reader sets another limit."""

PLAIN = frozenset({type(None), bool, int, float, str, bytes})
"""The types whose values stand for themselves."""


class TooDeepError(Exception):
    """Values lie within each other more than `LEVELS` deep."""


def drained(queue: deque[Item]) -> Iterator[Item]:
    """Take from a queue what is in it, and what is put into it meanwhile; TooDeepError when the items have led on to others too often."""
    level, left = 0, len(queue)
    while queue:
        if not left:
            level, left = level + 1, len(queue)
            if level > LEVELS:
                raise TooDeepError
        left -= 1
        yield queue.popleft()


class Code(IntEnum):
    """What a token is.

    A *block* is the contents of a value that holds others: its tokens follow when all values met before it have had theirs, so that
    neither depth nor cycles matter. What holds plain values alone has them in its token.
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
