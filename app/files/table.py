"""A table: named columns and rows of cells, whatever kind of file they come from."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import click

from headrace.app.files.cells import Cell
from headrace.app.files.dialect import BLANKS, Dialect, find_dialect
from headrace.app.files.encodings import STRAY, check_encoding, find_encoding, open_text
from headrace.app.files.numbers import read_number
from headrace.app.files.opening import HEAD, Stream
from headrace.learning.near import nearest

SAMPLED = 1_000
"""The number of rows by which a table is judged before it is read."""


class Row(NamedTuple):
    """A row: the line on which it ends, and its cells. `error` says why it could not be read. `file` is its file, where there are several."""

    line: int
    cells: Sequence[Cell]
    error: str = ""
    file: str = ""


class Table:
    """Named columns, and rows that are read lazily.

    Parameters
    ----------
    header
        The names of the columns; an empty one for a column that is left out.
    rows
        The rows.
    notes
        What a user should know of how the table is read.
    is_text
        Whether all cells are strings.
    delimiter
        What separates the cells of a text table.
    encoding
        The encoding of a text table, where it is a guess.
    dashes
        How the options that name columns begin in errors; empty where they are arguments of a method.

    Attributes
    ----------
    first
        The first rows, by which the table is judged.
    places
        The place of each column in a row.
    """

    def __init__(
        self,
        header: Sequence[str],
        rows: Iterable[Row],
        notes: Sequence[str] = (),
        *,
        is_text: bool = True,
        delimiter: str = "",
        encoding: str | None = None,
        dashes: str = "--",
    ):
        rows = iter(rows)
        self.header, self.notes, self.is_text, self.delimiter = list(header), list(notes), is_text, delimiter
        self.encoding, self.dashes = encoding, dashes
        self.first = list(islice(rows, SAMPLED))
        self.rows: Iterator[Row] = chain(self.first, rows)
        self.places = {name: place for place, name in enumerate(self.header) if name}

    def check(self, file: str) -> None:
        """Raise a usage error if a column is there twice, if a text is empty, or if its first line is no header."""
        if self.is_text and not self.header:
            raise click.UsageError(f"{file} is empty.")
        numbers = [read_number(name) for name in self.places]
        is_counted = numbers == list(range(len(numbers))) or numbers == list(range(1, len(numbers) + 1))
        if (
            self.is_text
            and len(numbers) > 1
            and not is_counted
            and sum(one is not None for one in numbers) * 2 > len(numbers)
        ):
            shown = ", ".join(list(self.places)[:5])
            raise click.UsageError(f"{file} has no header: its first line is {shown}. Put a line of names first.")
        twice = next((name for name in self.places if self.header.count(name) > 1), None)
        if twice is not None:
            raise click.UsageError(f"the column '{twice}' stands twice in the header of {file}. Rename one.")

    def has_stray(self, rows: Iterable[Row]) -> bool:
        """Return whether rows of a text table have bytes that are not of its encoding."""
        return self.is_text and any(STRAY.search("".join(map(str, row.cells))) for row in rows)

    def column(self, name: str, rows: Iterable[Row]) -> Iterator[Cell]:
        """Yield the cells of a column in those rows that are whole."""
        place, width = self.places[name], len(self.header)
        return (row.cells[place] for row in rows if not row.error and len(row.cells) == width)

    def check_named(
        self, label: str | None, id_: str | None, key: str | None, time: str | None, file: str = ""
    ) -> None:
        """Raise a usage error, which names the nearest column, if a column that has a role is not there. None: no column has it. `file` is named where there are several."""
        for option, name in (("label", label), ("id", id_), ("key", key), ("time", time)):
            if name is not None and name not in self.places:
                hint = nearest(name, self.places) or f"Columns: {', '.join(list(self.places)[:50])}."
                where = f" in {file}" if file else ""
                raise click.UsageError(f"there is no column '{name}'{where} ({self.dashes}{option}). {hint}")


def read_text_table(stream: Stream, encoding: str | None = None) -> Table:
    """Read a text table: CSV, or any other with a header and one sign between cells."""
    if encoding is not None:
        check_encoding(encoding)
    found = find_encoding(stream.head)
    name = found.name if encoding is None or found.has_mark else encoding
    is_guess = bool(found.note) and encoding is None
    notes = [f"{stream.name}: {found.note}"] if is_guess else []
    head = stream.head.decode(name, "ignore").removeprefix("\ufeff")
    dialect = find_dialect(head, cut=len(stream.head) >= HEAD)
    rows = read_rows(open_text(stream, name), dialect)
    header = [str(cell).strip() for cell in next(rows, Row(0, [])).cells]
    table = Table(header, rows, notes, delimiter=dialect.delimiter, encoding=name if is_guess else None)
    _name_unnamed(table)
    if table.header and not table.header[0] and len(table.header) > 1:
        note = "its first column has no name and is left out; it looks like the index of a data frame."
        table.notes.append(f"{stream.name}: {note}")
    if unnamed := [place for place, one in enumerate(table.header[1:-1], 2) if not one]:
        table.notes.append(f"{stream.name}: columns without a name are left out: {', '.join(map(str, unnamed))}.")
    return table


def _name_unnamed(table: Table) -> None:
    """Give a table as many names as cells: R names rows and not their column, and some lines end with a delimiter."""
    if table.header and table.header[0] == "Unnamed: 0":
        table.header[0] = ""
    widths = {len(row.cells) for row in table.first if not row.error}
    if widths == {len(table.header) + 1}:
        at_end = all(not row.cells[-1] for row in table.first if not row.error)
        table.header = [*table.header, ""] if at_end else ["", *table.header]
    table.places = {name: place for place, name in enumerate(table.header) if name}


def read_rows(text: io.TextIOWrapper, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of a text table, its header first. A row that cannot be read has an error, and reading goes on."""
    lines: Iterator[str] = iter(text)
    for _ in range(dialect.skipped):
        next(lines, "")
    if dialect.delimiter == BLANKS:
        lines = (line.replace("\t", " ").strip() for line in lines)
    reader = csv.reader(_without_mark(lines), delimiter=dialect.delimiter, skipinitialspace=True)
    skipped = dialect.skipped
    while True:
        try:
            for cells in reader:
                if cells:
                    yield Row(reader.line_num + skipped, cells)
            return
        except csv.Error as error:
            yield Row(reader.line_num + skipped, [], f"the row is no row of a table: {error}.")


def _without_mark(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines without the mark of the encoding before the first one."""
    first = next(lines, None)
    if first is not None:
        yield first.removeprefix("\ufeff")
        yield from lines
