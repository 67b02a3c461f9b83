"""Data frames of pandas, polars and pyarrow, and lists of dicts: read as tables, and given back as frames of the same library.

None of the libraries is imported before a user has made a frame with it. A frame is recognised by the methods that it has, so frames of
libraries that are made alike are read too; any other that offers Arrow's C stream (`__arrow_c_stream__`) is read by pyarrow.

The stream alone would not do, because pandas needs pyarrow to offer it; nor does the interchange protocol (`__dataframe__`), which pandas
has deprecated. Narwhals covers more libraries, and would be a dependency of every worker for the four methods that are needed here.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import click

from headrace.app.files.plain import MOMENTS, find_wrong, is_value, plain_cells
from headrace.app.files.table import SAMPLED, Row, Table

CHUNK = 4_096
"""Rows that are turned into Python values at a time."""

NAME = "the frame"
"""What errors call a frame."""

LAZY = ("collect", "compute")
"""The methods by which frames that only plan to have rows, such as those of Dask and polars' lazy ones, make them."""

TYPES: dict[str, type] = {"str": str, "float": float, "int": int, "bool": bool}
"""The types of the columns that a frame is given back with."""


class Frame(ABC):
    """A data frame of any library.

    Parameters
    ----------
    frame
        The frame.

    Attributes
    ----------
    names
        The names of its columns, as strings.
    height
        The number of its rows.
    """

    names: list[str]
    height: int

    def __init__(self, frame: Any):
        self.frame = frame

    @abstractmethod
    def cells(self, start: int, stop: int) -> list[list[Any]]:
        """Return the cells of some rows, column by column."""

    @abstractmethod
    def like(self, columns: Mapping[str, list[Any]], types: Mapping[str, str]) -> Any:
        """Return a new frame of the same library with these columns, of the types that are named, and as many rows."""

    def table(self, used: Collection[str] | None = None) -> Table:
        """Return the frame as a table, whose rows are numbered from 0.

        Parameters
        ----------
        used
            The columns in which a cell that no record can hold makes its row invalid; None for all.
        """
        first = self.cells(0, SAMPLED)
        nested = [
            name
            for name, cells in zip(self.names, first, strict=True)
            if any(not is_value(cell) for cell in plain_cells(cells))
        ]
        header = ["" if name in nested else name for name in self.names]
        notes = [f"columns left out, which hold no values of features: {', '.join(nested)}."] if nested else []
        return Table(header, self._rows(header, used), notes, is_text=False, dashes="")

    def moments(self) -> set[str]:
        """Return the names of the columns that hold dates or times, and not texts of them."""
        first = self.cells(0, SAMPLED)
        columns = zip(self.names, first, strict=True)
        return {name for name, cells in columns if any(isinstance(cell, MOMENTS) for cell in cells)}

    def _rows(self, header: Sequence[str], used: Collection[str] | None) -> Iterator[Row]:
        for start in range(0, self.height, CHUNK):
            stop = min(start + CHUNK, self.height)
            columns = [plain_cells(cells) for cells in self.cells(start, stop)]
            wrong: dict[int, str] = {}
            for name, cells in zip(header, columns, strict=True):
                if name and (used is None or name in used):
                    wrong |= find_wrong(name, cells)
            rows = zip(*columns, strict=True) if columns else iter([()] * (stop - start))
            for place, row in enumerate(rows):
                yield Row(start + place, row, wrong.get(place, ""))


class PandasFrame(Frame):
    """A frame of pandas, or of a library that is made like it. Its index is no column, and is the index of what is given back."""

    def __init__(self, frame: Any):
        super().__init__(frame)
        self.names, self.height = [str(name) for name in frame.columns], len(frame)

    def cells(self, start: int, stop: int) -> list[list[Any]]:
        """Return the cells, whose types pandas makes Python's own where it can."""
        part = self.frame.iloc[start:stop]
        return [part.iloc[:, place].tolist() for place in range(part.shape[1])]

    def like(self, columns: Mapping[str, list[Any]], types: Mapping[str, str]) -> Any:  # noqa: ARG002 pandas infers them
        """Return the columns with the index of the frame."""
        return type(self.frame)(dict(columns), index=self.frame.index)


class PolarsFrame(Frame):
    """A frame of polars."""

    def __init__(self, frame: Any):
        super().__init__(frame)
        self.names, self.height = list(frame.columns), frame.height

    def cells(self, start: int, stop: int) -> list[list[Any]]:
        """Return the cells as Python values."""
        return [column.to_list() for column in self.frame.slice(start, stop - start).get_columns()]

    def like(self, columns: Mapping[str, list[Any]], types: Mapping[str, str]) -> Any:
        """Return the columns; polars takes Python's types for its own."""
        return type(self.frame)(columns, schema={name: TYPES[types[name]] for name in columns})


class ArrowTable(Frame):
    """A table or a batch of pyarrow, or what offers Arrow's C stream, of which a table of pyarrow is given back."""

    def __init__(self, frame: Any):
        super().__init__(frame)
        self.names, self.height = list(frame.schema.names), frame.num_rows

    def cells(self, start: int, stop: int) -> list[list[Any]]:
        """Return the cells as Python values; times in microseconds, since Python has no smaller part."""
        import pyarrow as pa

        columns = []
        for column in self.frame.slice(start, stop - start).columns:
            kind = column.type
            if pa.types.is_timestamp(kind):
                columns.append(column.cast(pa.timestamp("us", kind.tz), safe=False).to_pylist())
            elif pa.types.is_duration(kind):
                columns.append(column.cast(pa.duration("us"), safe=False).to_pylist())
            else:
                columns.append(column.to_pylist())
        return columns

    def like(self, columns: Mapping[str, list[Any]], types: Mapping[str, str]) -> Any:
        """Return the columns as a table."""
        import pyarrow as pa

        kinds = {"str": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_()}
        return pa.table({name: pa.array(cells, kinds[types[name]]) for name, cells in columns.items()})


class Dicts(Frame):
    """A list of dicts, one a row. A row that lacks a key of another row lacks the value."""

    def __init__(self, frame: Sequence[Mapping[str, Any]]):
        super().__init__(frame)
        self.keys = list(dict.fromkeys(key for row in frame for key in row))
        self.names, self.height = [str(key) for key in self.keys], len(frame)

    def cells(self, start: int, stop: int) -> list[list[Any]]:
        """Return the cells, None for a missing one."""
        rows = list(islice(self.frame, start, stop))
        return [[row.get(key) for row in rows] for key in self.keys]

    def like(self, columns: Mapping[str, list[Any]], types: Mapping[str, str]) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return a dict a row."""
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def open_frame(frame: Any) -> Frame:
    """Recognise a data frame by what it can do; a usage error if it is none.

    Examples
    --------
    >>> opened = open_frame([{"price": 3.5}, {"price": None, "shop": "a"}])
    >>> opened.names, [row.cells for row in opened.table().rows]
    (['price', 'shop'], [(3.5, None), (None, 'a')])
    """
    if isinstance(frame, Sequence) and all(isinstance(row, Mapping) for row in frame):
        return Dicts(frame)
    name = type(frame).__name__
    for method in LAZY:
        if hasattr(frame, method):
            raise click.UsageError(f"a {name} has no rows yet: call its method {method}, and give the result.")
    if hasattr(frame, "iloc") and hasattr(frame, "columns"):
        return PandasFrame(frame)
    if hasattr(frame, "get_columns") and hasattr(frame, "height"):
        return PolarsFrame(frame)
    if hasattr(frame, "num_rows") and hasattr(frame, "schema"):
        return ArrowTable(frame)
    if hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "columns"):
        try:
            import pyarrow as pa
        except ImportError:
            raise click.UsageError(f"a {name} is read by pyarrow: pip install 'headrace[parquet]'.") from None
        return ArrowTable(pa.table(frame))
    raise click.UsageError(f"a {name} is no data frame: give one of pandas, polars or pyarrow, or a list of dicts.")
