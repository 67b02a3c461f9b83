"""Where samples come from: CSV and NDJSON files and River's data sets, as checked lines for the event log."""

import datetime as dt
import difflib
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click
import msgspec

from headrace.app.cli.columns import InvalidCellError, Row, infer_type, label_reader, read_cell, read_rows
from headrace.learning.errors import RecordError
from headrace.learning.records import Reader
from headrace.learning.task import Json, Task

SAMPLE_MAX = 1_000_000
"""Bytes in one sample: what a broker takes as a message unless it is told otherwise, less room for key and headers."""

SAMPLED = 1_000
"""Rows of a CSV that decide the types of columns which the settings do not declare."""


class Sample(NamedTuple):
    """One line for the event log, where it is from, and its message key; or the reason why it must not be sent.

    `is_label` says of what is sent apart (`send --delay`) that it is a label, which follows its question.
    """

    line: int
    value: bytes
    key: str | None = None
    reason: str = ""
    is_label: bool = False


class Columns(NamedTuple):
    """What is not a feature: the columns of label and id, and what the message key is from."""

    label: str | None = None
    id: str | None = None
    key: str | None = None


class Source:
    """Samples, read as they are asked for.

    Parameters
    ----------
    samples
        The samples.
    total
        What `done` is at the end: the bytes of a file, or the number of a data set's samples.
    done
        How far reading is; left out, as far as samples were taken.
    note
        What a user should know before, if anything.
    """

    def __init__(self, samples: Iterator[Sample], total: int, done: Callable[[], int] | None = None, note: str = ""):
        self.samples, self.total, self.done, self.note = samples, total, done, note


def open_source(name: str, task: Task, columns: Columns) -> Source:
    """The source of this name: `river:NAME`, or a file whose suffix says what it is; a usage error if it cannot be read so."""
    if name.startswith("river:"):
        return _open_river(name.removeprefix("river:"), task, columns)
    path = Path(name)
    read = FORMATS.get(path.suffix.lower())
    if read is None:
        raise click.UsageError(f"'{name}' is no source. Name a .csv, .tsv, .ndjson or .jsonl file, or river:NAME.")
    try:
        lines = Lines(path.open("rb"))
        samples, note = read(lines, task, columns)
        return Source(samples, path.stat().st_size, lambda: lines.bytes, note)
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}.") from None


class Lines:
    """The lines of a file, and how many bytes of it were read."""

    def __init__(self, file: BinaryIO):
        self.file, self.bytes = file, 0

    def __iter__(self) -> Iterator[bytes]:
        with self.file:
            for line in self.file:
                self.bytes += len(line)
                yield line


def _read_ndjson(lines: Iterable[bytes], task: Task, columns: Columns) -> tuple[Iterator[Sample], str]:
    """Lines as they stand, each a record; empty ones are passed over."""
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
    """Rows of a CSV; each column has one type throughout: the declared one, or that of the first rows."""
    rows = read_rows(lines)
    header = next(rows, Row(0, [])).cells
    label = check_header(header, columns)
    sampled = list(itertools.islice(rows, SAMPLED))
    whole = [row.cells for row in sampled if len(row.cells) == len(header)]
    places = {name: place for place, name in enumerate(header)}
    apart = {label, columns.id, columns.key}
    if task.features is None:
        types = {name: infer_type(row[places[name]] for row in whole) for name in header if name not in apart}
        left_out = []
    else:
        types = {name: task.features[name].type for name in header if name != label and name in task.features}
        left_out = [name for name in header if name not in apart and name not in types]
    read_label = label_reader(task, [row[places[label]] for row in whole])
    check = Reader(task)

    def sample(row: Row) -> Sample:
        cells = row.cells
        if row.error or len(cells) != len(header):
            reason = row.error or f"the row has {len(cells)} cells and the header has {len(header)}."
            return Sample(row.line, b"", reason=reason)
        named: dict[str, Json] = {} if columns.id is None else {"id": cells[places[columns.id]]}
        try:
            # An empty cell is a feature that is not known: it is left out.
            told = ((name, type_, cells[places[name]]) for name, type_ in types.items())
            named["features"] = {name: read_cell(name, type_, cell) for name, type_, cell in told if cell}
            named["label"] = read_label(cells[places[label]])
            value = msgspec.json.encode(named)
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
    """The label's column; a usage error that names a column which is not there or stands twice."""
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


def _open_river(name: str, task: Task, columns: Columns) -> Source:
    """A data set that comes with River, or that River has downloaded."""
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
            named = {"features": {str(key): _plain(value) for key, value in features.items()}, "label": truth}
            try:
                value = msgspec.json.encode(named)
            except TypeError as error:
                yield Sample(number, b"", reason=f"the sample has no form in JSON: {error}.")
                continue
            yield _checked(check, number, value, columns.key)

    return Source(samples(), dataset.n_samples)


def _plain(value: object) -> object:
    """A feature as JSON has it: a date becomes seconds since the epoch."""
    if isinstance(value, dt.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp()
    return value


def _checked(check: Reader, line: int, value: bytes, key: str | None) -> Sample:
    """A sample whose key is one of its features, or its id."""
    reason = find_reason(check, value)
    if reason or key is None:
        return Sample(line, value, reason=reason)
    record = msgspec.json.decode(value)
    found = record.get("features", {}).get(key, record.get("id") if key == "id" else None)
    if found is None:
        return Sample(line, value, reason=f"it has no feature '{key}' for the key.")
    return Sample(line, value, found if isinstance(found, str) else msgspec.json.encode(found).decode())


def find_reason(check: Reader, value: bytes) -> str:
    """Why a line must not be sent, or nothing."""
    if len(value) > SAMPLE_MAX:
        return f"it has {len(value)} bytes; a broker takes {SAMPLE_MAX}. Send less."
    try:
        check.read_record(value)
    except RecordError as error:
        return str(error)
    return ""
