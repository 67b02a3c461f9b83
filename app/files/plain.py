"""Cells of data frames as plain Python values: numbers of NumPy, dates, categories, and all that means a missing value."""

import datetime as dt
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from headrace.app.files.cells import Cell

PLAIN = {str, int, bool, type(None)}
"""The types of cells that stay as they are."""

MISSING = {"NAType", "NaTType"}
"""The types of pandas' own signs for a missing value."""

MOMENTS = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64)
"""Dates and times, with their subclasses. They become seconds: since the epoch, since midnight, or of a duration."""


def plain_cells(cells: Sequence[Any]) -> list[Any]:
    """Return the cells of a column as plain values. A cell that is none, such as a list, stays as it is.

    Examples
    --------
    >>> plain_cells([1.5, float("nan"), None, np.int8(3), np.str_("a"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), [1]])
    [1.5, None, None, 3, 'a', 1767225600.0, [1]]
    """
    types = set(map(type, cells))
    if types <= PLAIN:
        return list(cells)
    if types <= PLAIN | {float}:
        return [None if cell != cell else cell for cell in cells]  # noqa: PLR0124 NaN
    return [plain(cell) for cell in cells]


def plain(cell: Any) -> Any:
    """Return a cell as a string, number or boolean, or None if the value is missing; a cell that is none of these as it is.

    A date without a zone is taken for UTC, as in files.

    Examples
    --------
    >>> plain(dt.date(2026, 1, 1)), plain(dt.time(1, 30)), plain(np.timedelta64(90, "m")), plain(np.datetime64("NaT"))
    (1767225600.0, 5400.0, 5400.0, None)
    >>> plain(Decimal("2.50")), plain(np.bool_(True)), plain(np.float32(0.5))
    (2.5, True, 0.5)
    """
    if type(cell) in PLAIN:
        return cell
    if type(cell).__name__ in MISSING:
        return None
    if isinstance(cell, np.datetime64 | np.timedelta64):
        unit = "datetime64[us]" if isinstance(cell, np.datetime64) else "timedelta64[us]"
        cell = cell.astype(unit)  # nanoseconds would become a whole number
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float | Decimal):
        return None if math.isnan(cell) else float(cell)
    for kind in (bool, int, str):
        if isinstance(cell, kind):
            return kind(cell)
    return _seconds(cell) if isinstance(cell, MOMENTS) else cell


def _seconds(moment: Any) -> float:
    if isinstance(moment, dt.timedelta):
        return moment.total_seconds()
    if isinstance(moment, dt.time):
        return moment.hour * 3600.0 + moment.minute * 60 + moment.second
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 UTC is added below
    seconds: float = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()
    return seconds


def find_wrong(name: str, cells: Sequence[Any]) -> dict[int, str]:
    """Find the cells of a column that no record can hold, by their place, each with the reason.

    Examples
    --------
    >>> find_wrong("price", [1.5, float("inf"), None, [1]])
    {1: "'price' is infinite. Send finite numbers.", 3: "'price' holds a list. Send numbers, strings, true or false."}
    """
    if set(map(type, cells)) <= PLAIN:
        return {}
    wrong = {}
    for place, cell in enumerate(cells):
        if not is_value(cell):
            wrong[place] = f"'{name}' holds a {type(cell).__name__}. Send numbers, strings, true or false."
        elif isinstance(cell, float) and math.isinf(cell):
            wrong[place] = f"'{name}' is infinite. Send finite numbers."
    return wrong


def is_value(cell: Cell | object) -> bool:
    """Return whether a plain cell is a value that a feature can have, or a missing one.

    Examples
    --------
    >>> is_value(None), is_value(2.5), is_value(b"a")
    (True, True, False)
    """
    return type(cell) in PLAIN or type(cell) is float
