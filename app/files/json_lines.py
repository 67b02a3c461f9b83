"""JSON, one object a line or one array of objects: records of the event log as they are, or plain rows, whose keys are columns."""

import codecs
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec

from headrace.app.files.encodings import find_encoding, open_text
from headrace.app.files.json_array import split_array
from headrace.app.files.opening import BUFFER, Stream
from headrace.app.files.table import SAMPLED, Row, Table

RECORD = {"id", "features", "label", "time", "served", "source", "key"}
"""The keys of a record, and `key`, which decides its shard."""


class Records(NamedTuple):
    """The numbered lines of a file of records."""

    lines: Iterator[tuple[int, bytes]]


def read_json_lines(stream: Stream, wanted: Iterable[str] = (), *, is_open: bool = True) -> Table | Records:
    """Read a file of JSON. What it holds is decided by its first object: a record has `features`, or a label and nothing else.

    Parameters
    ----------
    stream
        The file.
    wanted
        Columns that may come although the first rows lack them.
    is_open
        Whether a key that the first rows lack, and that is not wanted, makes a row invalid. Otherwise it is left out.
    """
    lines = _number_lines(stream)
    first = _find_object(stream.head)
    if stream.head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0").startswith(b"["):
        lines = split_array(_chunks(stream))
        some = list(islice(lines, SAMPLED))
        first = next((one for _, text in some if isinstance(one := _decode(text), dict)), None)
        lines = chain(some, lines)
    if is_record(first):
        return Records(lines)
    return _read_plain(stream.name, lines, list(wanted), is_open=is_open)


def is_record(row: dict[str, Any] | None) -> bool:
    """Return whether an object is a record and no plain row; so is whatever is no object at all, and is refused as a record.

    Examples
    --------
    >>> is_record({"features": {"a": 1}, "label": True}), is_record({"id": "x", "label": True}), is_record({"a": 1, "label": True})
    (True, True, False)
    """
    if row is None or "control" in row or isinstance(row.get("features"), dict):
        return True
    return row.keys() <= RECORD and ("features" in row or "label" in row)


def _number_lines(stream: Stream) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty, in UTF-8."""
    encoding = find_encoding(stream.head).name
    lines: Iterable[bytes] = stream.open()
    if encoding.startswith(("utf-16", "utf-32")):
        lines = (line.encode() for line in open_text(stream, encoding))
    for number, line in enumerate(lines, 1):
        value = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).strip()
        if value:
            yield number, value


def _chunks(stream: Stream) -> Iterator[bytes]:
    """Yield a file in parts, in UTF-8."""
    encoding = find_encoding(stream.head).name
    if encoding.startswith(("utf-16", "utf-32")):
        text = open_text(stream, encoding)
        while part := text.read(BUFFER):
            yield part.removeprefix("\ufeff").encode(errors="replace")
        return
    file = stream.open()
    while data := file.read(BUFFER):
        yield data


def _decode(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _find_object(head: bytes) -> dict[str, Any] | None:
    text = head.decode(find_encoding(head).name, "replace").removeprefix("\ufeff")
    decoded = (_decode(line.encode()) for line in text.splitlines())
    return next((one for one in decoded if isinstance(one, dict)), None)


def _read_plain(name: str, lines: Iterator[tuple[int, bytes]], wanted: list[str], *, is_open: bool) -> Table:
    decoded = ((number, _decode(line)) for number, line in lines)
    first = list(islice(decoded, SAMPLED))
    objects = [row for _, row in first if isinstance(row, dict)]
    nested = sorted({key for row in objects for key, value in row.items() if isinstance(value, (dict, list))})
    header = [key for key in dict.fromkeys(key for row in objects for key in row) if key not in nested]
    header += [key for key in wanted if key not in header]
    notes = [f"{name}: columns left out, which hold objects or lists: {', '.join(nested)}."] if nested else []
    known = {*header, *nested}

    def rows() -> Iterator[Row]:
        for number, row in chain(first, decoded):
            if not isinstance(row, dict):
                yield Row(number, [], "the line is no JSON object.")
            elif is_open and not row.keys() <= known:
                new = next(key for key in row if key not in known)
                yield Row(
                    number,
                    [],
                    f"the key '{new[:80]}' is new: the first {SAMPLED:,} rows lack it. Declare the features.",
                )
            else:
                yield _row(number, [row.get(key) for key in header], header)

    return Table(header, rows(), notes, is_text=False)


def _row(number: int, cells: Sequence[Any], header: Sequence[str]) -> Row:
    for name, cell in zip(header, cells, strict=True):
        if isinstance(cell, (dict, list)):
            return Row(number, [], f"'{name}' holds an object or a list. Send numbers, strings, true or false.")
    return Row(number, cells)


def as_table(records: Records) -> Table:
    """Return records as a table, whose columns are the features and the label: for a look at them."""
    decoded = ((number, _decode(line)) for number, line in records.lines)
    plain = (
        (number, row) for number, row in decoded if isinstance(row, dict) and isinstance(row.get("features"), dict)
    )
    first = list(islice(plain, SAMPLED))
    header = [*dict.fromkeys(name for _, row in first for name in row["features"] if name != "label"), "label"]
    rows = (
        Row(number, [row["features"].get(name) if name != "label" else row.get("label") for name in header])
        for number, row in chain(first, plain)
    )
    return Table(header, rows, is_text=False)
