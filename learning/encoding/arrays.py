"""Arrays and numbers of NumPy in an encoding: their data types, and how they are written and built."""

import math
from typing import Any, Literal

import numpy as np

DTYPES = {
    text: np.dtype(text) for text in ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8")
}

DIMENSIONS = 8


def take_array(value: np.ndarray) -> tuple[str, list[int], str, bytes]:
    """Return the data type, shape, order and bytes of an array.

    The order, by rows or by columns, is kept, because the last bits of a sum over an array depend on it.

    Raises
    ------
    ValueError
        The array has a data type that an encoding may not have.
    """
    dtype = value.dtype.newbyteorder("<")
    if dtype.str not in DTYPES:
        raise ValueError(f"an array of the type {value.dtype}")
    order: Literal["C", "F"] = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    return dtype.str, list(value.shape), order, value.astype(dtype, copy=False).tobytes(order)


def build_array(text: Any, shape: Any, order: Any, data: Any) -> np.ndarray:
    """Build an array from its data type, shape, order and bytes.

    Raises
    ------
    ValueError
        The data type is unknown, or the number of bytes does not fit the shape.
    """
    dtype = DTYPES.get(text) if type(text) is str else None
    if (
        dtype is None
        or type(shape) is not list
        or len(shape) > DIMENSIONS
        or order not in ("C", "F")
        or type(data) is not bytes
    ):
        raise ValueError("no array")
    if not all(type(length) is int and length >= 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(
        data
    ):
        raise ValueError("an array whose bytes do not fit its shape")
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy(order)


def build_scalar(text: Any, data: Any) -> np.generic:
    """Build a number from its data type and bytes; raise ValueError if they do not fit."""
    dtype = DTYPES.get(text) if type(text) is str else None
    if dtype is None or type(data) is not bytes or len(data) != dtype.itemsize:
        raise ValueError("no number")
    number: np.generic = np.frombuffer(data, dtype)[0]
    return number
