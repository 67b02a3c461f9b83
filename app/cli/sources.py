"""Reads samples from CSV files, NDJSON files and River's data sets, as checked lines for the event log."""

import datetime as dt
import difflib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
import msgspec

from headrace.app.cli.columns import CsvRow, InvalidCellError, infer_type, label_reader, read_cell, read_rows
from headrace.learning.errors import RecordError
from headrace.learning.records import Reader
from headrace.learning.task import Json, Task

SAMPLE_MAX = 1_000_000
"""The largest sample, in bytes: the default limit of a broker for a message, less room for key and headers."""

SAMPLED = 1_000
"""The number of rows of a CSV from which the types of undeclared columns are inferred."""


class Sample(NamedTuple):
    """A line for the event log, its line number in the source, and its message key; or the reason why it must not be sent.

    `is_label` marks a label that was split from its question by `send --delay`.
    """

    line: int
    value: bytes
    key: str | None = None
    reason: str = ""
    is_label: bool = False


class Columns(NamedTuple):
    """The columns that are not features: those of the label and the id, and the column of the message key."""

    label: str | None = None
    id: str | None = None
    key: str | None = None


class SampleSource:
    """A file or a data set of River, whose samples `headrace send` reads lazily.

    Parameters
    ----------
    samples
        The samples.
    total
        The value of `done` at the end: the bytes of a file, or the number of a data set's samples.
    done
        Returns how far reading is; if left out, the number of samples taken counts.
    note
        A warning for the user, if there is one.
    """

    def __init__(self, samples: Iterator[Sample], total: int, done: Callable[[], int] | None = None, note: str = ""):
        self.samples, self.total, self.done, self.note = samples, total, done, note


def open_source(name: str, task: Task, columns: Columns) -> SampleSource:
    """Open the source of this name: `river:NAME`, or a file whose suffix gives its format; a usage error if it cannot be read."""
    if name.startswith("river:"):
        return _open_river(name.removeprefix("river:"), task, columns)
    path = Path(name)
    read = FORMATS.get(path.suffix.lower())
    if read is None:
        raise click.UsageError(f"'{name}' is no source. Name a .csv, .tsv, .ndjson or .jsonl file, or river:NAME.")
    try:
        lines = Lines(path.open("rb"))
        samples, note = read(lines, task, columns)
        return SampleSource(samples, path.stat().st_size, lambda: lines.bytes, note)
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}.") from None


class Lines:
    """Yields the lines of a file, and counts the bytes read."""

    def __init__(self, file: BinaryIO):
        self.file, self.bytes = file, 0

    def __iter__(self) -> Iterator[bytes]:
        with self.file:
            for line in self.file:
                self.bytes += len(line)
                yield line


def _read_ndjson(lines: Iterable[bytes], task: Task, columns: Columns) -> tuple[Iterator[Sample], str]:
    """Read a file with one record a line; empty lines are skipped."""
    if columns.label or columns.id:
        raise click.UsageError("--label and --id are for CSV: a line of NDJSON has its label and id inside.")
    check = Reader(task)

    def samples() -> Iterator[Sample]:
        for number, line in enumerate(lines, 1):
            value = line.strip()
            if value:
                yield _checked(check, number, value, columns.key)

    return samples(), ""


def _read_csv(lines: Iterable[bytes], task: Task, columns: Columns) -> tuple[Iterator[Sample], str]:
    """Read the rows of a CSV. Each column has one type: the declared one, or that of the first rows."""
    rows = read_rows(lines)
    header = next(rows, CsvRow(0, [])).cells
    label = check_header(header, columns)
    sampled = list(itertools.islice(rows, SAMPLED))
    whole = [row.cells for row in sampled if len(row.cells) == len(header)]
    places = {name: place for place, name in enumerate(header)}
    excluded = {label, columns.id, columns.key}
    if task.features is None:
        types = {name: infer_type(row[places[name]] for row in whole) for name in header if name not in excluded}
        left_out = []
    else:
        types = {name: task.features[name].type for name in header if name != label and name in task.features}
        left_out = [name for name in header if name not in excluded and name not in types]
    read_label = label_reader(task, [row[places[label]] for row in whole])
    check = Reader(task)

    def sample(row: CsvRow) -> Sample:
        cells = row.cells
        if row.error or len(cells) != len(header):
            reason = row.error or f"the row has {len(cells)} cells and the header has {len(header)}."
            return Sample(row.line, b"", reason=reason)
        record: dict[str, Json] = {} if columns.id is None else {"id": cells[places[columns.id]]}
        try:
            # An empty cell is an unknown feature, which is left out.
            typed = ((name, type_, cells[places[name]]) for name, type_ in types.items())
            record["features"] = {name: read_cell(name, type_, cell) for name, type_, cell in typed if cell}
            record["label"] = read_label(cells[places[label]])
            value = msgspec.json.encode(record)
        except InvalidCellError as error:
            return Sample(row.line, b"", reason=str(error))
        except UnicodeEncodeError:
            return Sample(row.line, b"", reason="the row is not UTF-8.")
        key = None if columns.key is None else cells[places[columns.key]]
        return Sample(row.line, value, key, find_reason(check, value))

    note = f"Columns left out, not being declared in the settings: {', '.join(left_out)}." if left_out else ""
    return map(sample, itertools.chain(sampled, rows)), note


FORMATS: dict[str, Callable[[Lines, Task, Columns], tuple[Iterator[Sample], str]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".ndjson": _read_ndjson,
    ".jsonl": _read_ndjson,
}


def check_header(header: list[str], columns: Columns) -> str:
    """Return the name of the label's column; a usage error if a named column is missing, or if a column is there twice."""
    label = columns.label or "label"
    for option, column in (("--label", label), ("--id", columns.id), ("--key", columns.key)):
        if column is not None and column not in header:
            known = ", ".join(header[:50])
            near = difflib.get_close_matches(column, header, 1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Columns: {known}."
            raise click.UsageError(f"there is no column '{column}' ({option}). {hint}")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise click.UsageError(f"the column '{twice}' stands twice in the header. Rename one.")
    return label


def _open_river(name: str, task: Task, columns: Columns) -> SampleSource:
    """Open a data set that comes with River, or that River has downloaded."""
    from river import datasets

    if columns.label or columns.id:
        raise click.UsageError("--label and --id are for CSV: a data set of River knows its labels and has no ids.")
    known = [name for name, value in inspect.getmembers(datasets, inspect.isclass) if name not in ("base", "synth")]
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(known)}."
        raise click.UsageError(f"River has no data set '{name}'. {hint}")
    dataset: Any = getattr(datasets, name)()
    if not getattr(dataset, "is_downloaded", True):
        command = f'python -c "from river import datasets; datasets.{name}().download()"'
        raise click.UsageError(f"the data set '{name}' is not on this machine. Download it: {command}")
    check = Reader(task)

    def samples() -> Iterator[Sample]:
        for number, (features, label) in enumerate(dataset, 1):
            truth = bool(label) if task.kind == "binary" and label in (0, 1) else label
            record = {"features": {str(key): _plain(value) for key, value in features.items()}, "label": truth}
            try:
                value = msgspec.json.encode(record)
            except TypeError as error:
                yield Sample(number, b"", reason=f"the sample has no form in JSON: {error}.")
                continue
            yield _checked(check, number, value, columns.key)

    return SampleSource(samples(), dataset.n_samples)


def _plain(value: object) -> object:
    """Turn a feature of River into a JSON value: a date becomes seconds since the epoch."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    return value


def _checked(check: Reader, line: int, value: bytes, key: str | None) -> Sample:
    """Check a record and make a sample of it, with the feature `key`, or the id, as message key."""
    reason = find_reason(check, value)
    if reason or key is None:
        return Sample(line, value, reason=reason)
    record = msgspec.json.decode(value)
    value_of_key = record.get("features", {}).get(key, record.get("id") if key == "id" else None)
    if value_of_key is None:
        return Sample(line, value, reason=f"it has no feature '{key}' for the key.")
    text = value_of_key if isinstance(value_of_key, str) else msgspec.json.encode(value_of_key).decode()
    return Sample(line, value, text)


def find_reason(check: Reader, value: bytes) -> str:
    """Return the reason why a line must not be sent; an empty string if it is valid."""
    if len(value) > SAMPLE_MAX:
        return f"it has {len(value)} bytes; a broker takes {SAMPLE_MAX}. Send less."
    try:
        check.read_record(value)
    except RecordError as error:
        return str(error)
    return ""
