"""The columns of a task's files: what each is for, and how its cells are read. It decides nothing in the fold."""

from typing import Literal

import msgspec

DateForm = Literal["iso", "d/m/y", "m/d/y", "h:m", "seconds", "milliseconds"]
"""How the dates of a column are written."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `columns` of a task: what `headrace send` and the other readers of files know of them. An option of a command overrides it.

    It is not part of the definition: it says how files become records, and a record is folded however it came about.

    Parameters
    ----------
    label
        The column of the label. Left out: `label`.
    id
        The column of the id, which is no feature.
    key
        The column of the entity's key, which decides the shard and is no feature.
    time
        The column of the event time, which is no feature.
    positive
        Of a binary task: the cell that means true.
    negative
        The cell that means false. Left out: the one other cell.
    decimal
        The decimal sign of numbers: `"."` or `","`. Left out: what the first 1,000 rows show.
    encoding
        Of a text file, such as `"cp1252"`. Left out: what its first bytes show.
    missing
        Cells that mean that a value is missing, beside empty cells, `NA`, `NaN`, `null`, `none`, `?` and `-`.
    dates
        How the dates of a column are written: `"iso"`, `"d/m/y"`, `"m/d/y"`, `"h:m"`, `"seconds"` or `"milliseconds"` since the epoch.
        Such a column becomes a number of seconds: since 1970, or since midnight.

    Examples
    --------
    >>> Columns(label="returned", positive="yes").positive
    'yes'
    """

    label: str | None = None
    id: str | None = None
    key: str | None = None
    time: str | None = None
    positive: str | bool | int | float | None = None
    negative: str | bool | int | float | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None
    missing: list[str] = []
    dates: dict[str, DateForm] = {}
