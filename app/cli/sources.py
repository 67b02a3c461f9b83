"""Where samples come from: CSV and NDJSON files and River's data sets, as checked lines for the event log."""

import csv
import datetime
import difflib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
import msgspec
from river import datasets
from river.datasets.base import RemoteDataset

from app.cli.columns import Column, InvalidCellError, read_column
from learning.errors import RecordError
from learning.records import Reader
from learning.task import Task, Value

ROW_MAX = 1_000_000
"""Bytes in one row: what a broker takes as a message unless it is told otherwise, less room for key and headers."""

SAMPLED = 1_000
"""Rows of a CSV that decide the types of the columns which the settings do not declare."""


class Row(NamedTuple):
    """One row: its line (a River sample's number), its message key, and its bytes; or why it must not be sent."""

    line: int
    key: str | None
    value: bytes
    reason: str = ""


class Columns(NamedTuple):
    """Which columns are not features."""

    label: str = "label"
    id: str | None = None
    key: str | None = None


class Source:
    """Rows, with a measure of how far they have been read.

    Parameters
    ----------
    rows
        The rows, read as they are asked for.
    total
        What `done` is at the end: bytes of a file, or the number of samples.
    done
        How far it is now; None: as many as rows were taken.
    """

    def __init__(self, rows: Iterator[Row], total: int, done: Callable[[], int] | None = None):
        self.rows, self.total, self.done = rows, total, done


def open_source(name: str, task: Task, columns: Columns) -> Source:
    """A source by its name: `river:NAME`, or a file whose suffix says what it is. A usage error if it cannot be read so."""
    if name.startswith("river:"):
        return _open_river(name.removeprefix("river:"), task, columns)
    path = Path(name)
    if path.suffix.lower() not in FORMATS:
        raise click.UsageError(f"'{name}' is not a source. Name a .csv, .tsv, .ndjson or .jsonl file, or river:NAME.")
    try:
        file = path.open("rb")
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}.") from None
    read = FORMATS[path.suffix.lower()]
    counting = _Counting(file)
    return Source(read(counting, task, columns), path.stat().st_size, lambda: counting.count)


class _Counting:
    """The lines of a file, and how many bytes of it were read."""

    def __init__(self, file: BinaryIO):
        self.file, self.count = file, 0

    def __iter__(self) -> Iterator[bytes]:
        with self.file:
            for line in self.file:
                self.count += len(line)
                yield line


def _read_ndjson(lines: Iterable[bytes], task: Task, columns: Columns) -> Iterator[Row]:
    """Lines as they are: each is a record of the event log. Empty ones are passed over."""
    reader = Reader(task)
    for number, line in enumerate(lines, 1):
        value = line.strip(b"\r\n")
        if not value or value.isspace():
            continue
        key, reason = None, find_reason(reader, value)
        if not reason and columns.key is not None:
            found = msgspec.json.decode(value)
            key_value = found.get("id") if columns.key == "id" else found.get("features", {}).get(columns.key)
            key, reason = _text(key_value), "" if key_value is not None else f"there is no '{columns.key}' for the key."
        yield Row(number, key, value, reason)


def _read_csv(lines: Iterable[bytes], task: Task, columns: Columns) -> Iterator[Row]:
    """Rows of a CSV with a header: cells become numbers, booleans and strings, a column always of one type."""
    numbered = _Numbered(lines)
    cells = csv.reader(numbered, delimiter=_delimiter(numbered))
    try:
        header = next(cells, [])
        _check_header(header, columns)
        rows = _located(cells)
        sampled = list(itertools.islice(rows, SAMPLED))
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.UsageError(f"the file is not a CSV in UTF-8: {error}.") from None
    readers = read_columns(header, [row for _, row in sampled if len(row) == len(header)], task, columns)
    check = Reader(task)
    places = {name: place for place, name in enumerate(header)}
    rows = itertools.chain(sampled, rows)
    while True:
        try:
            line, row = next(rows)
        except StopIteration:
            return
        except (UnicodeDecodeError, csv.Error) as error:
            yield Row(cells.line_num, None, b"", f"the row cannot be read: {error}.")
            return
        if len(row) != len(header):
            yield Row(line, None, b"", f"the row has {len(row)} cells, the header has {len(header)}.")
            continue
        record: dict[str, Any] = {}
        try:
            if columns.id is not None:
                record["id"] = row[places[columns.id]]
            features = {column.name: column.read(row[place]) for place, column in readers if row[place] != ""}
            record["features"] = features
            record["label"] = readers.label.read(row[places[columns.label]])
        except InvalidCellError as error:
            yield Row(line, None, b"", str(error))
            continue
        value = msgspec.json.encode(record)
        key = None if columns.key is None else row[places[columns.key]]
        yield Row(line, key, value, find_reason(check, value))


FORMATS: dict[str, Callable[[Any, Task, Columns], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
}
