"""Hashing: the cell of a string among a fixed number of cells, the same on every machine."""

from math import inf
from typing import Annotated

import mmh3
from msgspec import Meta

from headrace.learning.task import Value

Bits = Annotated[int, Meta(ge=4, le=20)]
"""Two to this power is the number of cells."""


def cell_of(text: str, bits: int) -> int:
    """Return the cell of a string, 0 to 2**bits - 1, by MurmurHash3 of its UTF-8 bytes.

    Examples
    --------
    >>> cell_of("Lisbon", bits=12)
    4040
    """
    return mmh3.hash(text.encode("utf-8", "surrogatepass"), signed=False) & ((1 << bits) - 1)


def text_of(value: Value) -> str:
    """Write a value as a string: one for each value, and a whole number as the same float.

    Examples
    --------
    >>> text_of("7"), text_of(7), text_of(7.0), text_of(True)
    ('7', '7', '7', 'true')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if -inf < value < inf and value == int(value) else repr(value)
