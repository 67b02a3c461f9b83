"""Crosses: two or three features together are a feature, for what neither says alone."""

from headrace.learning.features.hashing import cell_of, text_of
from headrace.learning.features.step import Features

BITS = 14
"""The values of a cross share two to this power columns."""


def cross(names: tuple[str, ...], x: Features) -> Features:
    """Return the cross of some features of a record as a category; nothing if the record lacks one of them.

    Examples
    --------
    >>> cross(("country", "device"), {"country": "PT", "device": "phone", "price": 3.0})
    {'country*device': '#14607'}
    >>> cross(("country", "device"), {"country": "PT"})
    {}
    """
    if not all(name in x for name in names):
        return {}
    together = "\0".join(text_of(x[name]) for name in names)
    return {"*".join(names): f"#{cell_of(together, BITS)}"}
