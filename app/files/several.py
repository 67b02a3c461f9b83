"""Several files as one table: a look at a sample of each, and where their columns differ."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import click

from headrace.app.files.cells import Column, Missing, infer
from headrace.app.files.formats import read_stream
from headrace.app.files.json_lines import Records, as_table
from headrace.app.files.numbers import Decimal, find_decimal, read_number
from headrace.app.files.opening import STDIN, Stream, expand
from headrace.app.files.table import Row, Table, read_text_table
from headrace.app.files.unpacking import DAMAGED
from headrace.learning.near import nearest

ROWS_READ = 100_000
"""The number of rows that are looked at, of all files together."""

FILES_READ = 100
"""The number of files that are looked at: the first, the last, and others between them."""

NAMED_MAX = 3
"""The files that a note names."""

NAME_MAX = 22
"""The longest name of a file, in characters, in a note that counts other files too."""

NOUNS = {"float": "numbers", "int": "numbers", "bool": "true and false", "string": "strings", "time": "dates"}

STRAY = "cp1252"
"""The encoding of a text that is not UTF-8, as is found out after its first bytes."""


class Part(NamedTuple):
    """One file: its rows, and the encoding in which they have to be read, where it is a guess."""

    file: str
    table: Table
    rows: list[Row]
    encoding: str | None
    is_records: bool

    @property
    def name(self) -> str:
        """Return the name that notes have for the file."""
        return "standard input" if self.file == STDIN else Path(self.file).name


class Several(NamedTuple):
    """Files as one table, whose notes say where they differ; the encoding that all have to be read in, if it is a guess; and whether all files, or any, hold records."""

    table: Table
    name: str
    encoding: str | None
    is_records: bool
    has_records: bool


def read_several(names: Sequence[str]) -> Several:
    """Read a sample of each of the files that these names and globs stand for.

    Raises
    ------
    click.UsageError
        A file cannot be read, is empty, or has a column twice.
    """
    files = expand(names)
    if files.count(STDIN) > 1:
        raise click.UsageError("standard input can be read once: name - once.")
    chosen = spread(files, FILES_READ)
    parts = [_read(file, ROWS_READ // len(chosen)) for file in chosen]
    name = parts[0].name if len(files) == 1 else f"{_cut(parts[0].name)} and {_more(len(files) - 1)}"
    notes = _notes(parts)
    if len(chosen) < len(files):
        notes.append(f"A sample of {len(chosen)} of the {len(files):,} files was looked at.")
    are_records = [part.is_records for part in parts]
    kinds = all(are_records), any(are_records)
    if len(parts) == 1:
        (part,) = parts
        part.table.rows, part.table.notes = iter(part.rows), notes
        return Several(part.table, name, part.encoding, *kinds)
    notes += [*_of_columns(parts), *_of_types(parts), *_of_encodings(parts)]
    return Several(_join(parts, notes), name, _encoding(parts), *kinds)


def spread(files: Sequence[str], count: int) -> list[str]:
    """Choose so many files, evenly spread: the first, the last, and others between them.

    Examples
    --------
    >>> spread(["a", "b", "c", "d", "e"], 3), spread(["a", "b"], 3)
    (['a', 'c', 'e'], ['a', 'b'])
    """
    if len(files) <= count:
        return list(files)
    return [files[round(at * (len(files) - 1) / (count - 1))] for at in range(count)]


def _notes(parts: Sequence[Part]) -> list[str]:
    """Return the notes of the files, one for all files of which the same is to be noted."""
    files: dict[str, list[str]] = {}
    for part in parts:
        for note in part.table.notes:
            files.setdefault(note.removeprefix(f"{part.file}: "), []).append(part.name)
    return [f"{_names(names)}: {note}" for note, names in files.items()]


def _cut(name: str) -> str:
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 3] + "..."


def _more(count: int) -> str:
    return f"{count:,} more file{'s' if count > 1 else ''}"


def _read(file: str, count: int) -> Part:
    """Read the first rows of a file."""
    stream = Stream(file)
    try:
        read = read_stream(stream)
        table = as_table(read) if isinstance(read, Records) else read
        rows = list(islice(table.rows, count))
        table.check(file)
        encoding = table.encoding
        if file != STDIN and table.has_stray(rows):  # after the first bytes, by whose looks its encoding was found
            encoding, stream = STRAY, Stream(file)
            table = read_text_table(stream, encoding)
            rows = list(islice(table.rows, count))
            table.notes.append(f"{file}: It is not UTF-8, and is read as {STRAY} (Western European).")
    except DAMAGED as error:
        raise stream.damaged(error) from None
    return Part(file, table, rows, encoding, isinstance(read, Records))


def _join(parts: Sequence[Part], notes: list[str]) -> Table:
    """Make one table of all rows, with the columns of all files. A file that lacks a column lacks its values."""
    header = list(dict.fromkeys(name for part in parts for name in part.table.places))

    def rows() -> Iterator[Row]:
        for part in parts:
            width = len(part.table.header)
            places = [part.table.places.get(name) for name in header]
            for row in part.rows:
                if not row.error and len(row.cells) == width:
                    cells = [None if place is None else row.cells[place] for place in places]
                    yield Row(row.line, cells, file=part.name)

    texts = [part.table for part in parts if part.table.is_text]
    delimiter = texts[0].delimiter if texts else ""
    return Table(header, rows(), notes, is_text=bool(texts), delimiter=delimiter)


def _of_columns(parts: Sequence[Part]) -> Iterator[str]:
    """Yield which columns are missing in some of the files."""
    header = dict.fromkeys(name for part in parts for name in part.table.places)
    for name in header:
        have = [part.name for part in parts if name in part.table.places]
        lack = [part for part in parts if name not in part.table.places]
        if not lack:
            continue
        if 2 * len(have) <= len(parts):
            own = {other for part in parts if part not in lack for other in part.table.places}
            near = nearest(name, [other for other in header if other not in own])
            yield f"Only {_names(have)} ha{'s' if len(have) == 1 else 've'} the column '{name}'. {near}".rstrip()
        else:
            yield f"The column '{name}' is missing in {_names(part.name for part in lack)}."


def _names(files: Iterable[str]) -> str:
    """Name some files.

    Examples
    --------
    >>> _names(["a.csv", "b.csv"]), _names(["a", "b", "c", "d", "e"])
    ('a.csv and b.csv', 'a, b, c and 2 more files')
    """
    files = list(files)
    if len(files) > NAMED_MAX:
        return f"{', '.join(files[:NAMED_MAX])} and {_more(len(files) - NAMED_MAX)}"
    return " and ".join([", ".join(files[:-1]), files[-1]] if len(files) > 1 else files)


def _of_types(parts: Sequence[Part]) -> Iterator[str]:
    """Yield which columns hold something else in some of the files, and whether the decimal signs differ."""
    missing = Missing()
    held: dict[str, dict[str, list[str]]] = {}
    signs: dict[Decimal, list[str]] = {}
    for part in parts:
        known = {name: missing.known(part.table.column(name, part.rows)) for name in part.table.places}
        decimal = _decimal(part.table, known)
        if decimal is not None:
            signs.setdefault(decimal, []).append(part.name)
        for name, texts in known.items():
            column = infer(name, texts, decimal or ".")
            if texts and not column.is_open:
                held.setdefault(name, {}).setdefault(_noun(column), []).append(part.name)
    if len(signs) > 1:
        yield f"Numbers have a decimal comma in {_names(signs[','])} and a point in {_names(signs['.'])}: write them alike."
    for name, nouns in held.items():
        if len(nouns) > 1:
            yield f"'{name}' holds {', and '.join(f'{noun} in {_names(files)}' for noun, files in nouns.items())}."


def _noun(column: Column) -> str:
    return f"dates ({column.form})" if column.type == "time" else NOUNS[column.type]


def _decimal(table: Table, known: dict[str, dict[str, int]]) -> Decimal | None:
    """Return the decimal sign of a file; None if its cells do not show it."""
    if not table.is_text:
        return None
    decimal, is_guess = find_decimal([list(texts) for texts in known.values()], table.delimiter)
    if is_guess or decimal == ",":
        return None if is_guess else decimal
    cells = (text for texts in known.values() for text in texts if "." in text)
    return "." if any(read_number(text) is not None and read_number(text, ",") is None for text in cells) else None


def _encodings(parts: Sequence[Part]) -> dict[str, list[str]]:
    """Return the files of each encoding, leaving out those that read alike in any."""
    found: dict[str, list[str]] = {}
    for part in parts:
        if part.table.is_text and not all("".join(map(str, row.cells)).isascii() for row in part.rows):
            found.setdefault(part.encoding or "utf-8", []).append(part.name)
    return found


def _encoding(parts: Sequence[Part]) -> str | None:
    """Return the encoding in which all files are read; None if that is UTF-8, or if they differ, and each is read by its looks."""
    found = list(_encodings(parts))
    return found[0] if len(found) == 1 and found[0] != "utf-8" else None


def _of_encodings(parts: Sequence[Part]) -> Iterator[str]:
    found = _encodings(parts)
    if len(found) > 1:
        shown = ", ".join(f"{_names(files)} in {name}" for name, files in found.items())
        yield f"The files are in several encodings: {shown}. Each is read by its looks."
