"""What a type says of its values: whether they can change, and where their state lies."""

import copyreg
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Literal

import numpy as np

Sort = Literal["named", "settled", "changing"]

SETTLED = (int, float, str, bytes, complex, tuple, frozenset, range, slice, np.generic, np.dtype, MethodType,
           BuiltinFunctionType)  # fmt: skip
"""Bases of what cannot change: that two of them are one object makes no difference."""

SORTS: dict[type[Any], Sort] = {FunctionType: "named"}
"""What `sort_of` has said of the types met so far."""

CHANGING: set[type[Any]] = set()
"""Those of them whose values can change."""

PLAIN: dict[type[Any], bool] = {}
"""What `is_plain` has said of the classes met so far."""

REDUCING = ("__reduce_ex__", "__reduce__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")


def sort_of(kind: type[Any]) -> Sort:
    """Whether values of a type are known by name, settled (no one can change them), or changing.

    Examples
    --------
    >>> sort_of(type), sort_of(float), sort_of(list)
    ('named', 'settled', 'changing')
    """
    sort = SORTS.get(kind)
    if sort is None:
        struct = getattr(kind, "__struct_config__", None)  # of msgspec
        if issubclass(kind, type):
            sort = "named"
        elif (issubclass(kind, SETTLED) and kind.__dictoffset__ == 0) or (struct is not None and struct.frozen):
            sort = "settled"
        else:
            sort = "changing"
            CHANGING.add(kind)
        SORTS[kind] = sort
    return sort


def is_plain(value: object) -> bool:
    """Whether an object, like all others of its class, is its `__dict__` and nothing else.

    Examples
    --------
    >>> class Point:
    ...     def __init__(self, x):
    ...         self.x = x
    >>> is_plain(Point(1)), is_plain([1])
    (True, False)
    """
    kind = type(value)
    plain = PLAIN.get(kind)
    if plain is None:
        plain = PLAIN[kind] = _is_plain(value)
    return plain


def _is_plain(value: object) -> bool:
    kind = type(value)
    if any(getattr(kind, name, None) is not getattr(object, name, None) for name in REDUCING):
        return False
    if any(vars(base).get("__slots__") for base in kind.__mro__) or not hasattr(value, "__dict__"):
        return False
    made = value.__reduce_ex__(4)
    return made[:2] == (copyreg.__newobj__, (kind,)) and not any(made[3:])  # type: ignore[attr-defined]
