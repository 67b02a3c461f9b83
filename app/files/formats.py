"""Decides by its first bytes which kind of file a stream is, and reads it as a table or as records."""

from collections.abc import Iterable
from pathlib import Path

import click

from headrace.app.files.arrow import MAGIC, read_arrow
from headrace.app.files.json_lines import Records, read_json_lines
from headrace.app.files.opening import Stream
from headrace.app.files.table import Table, read_text_table

FOREIGN = {
    b"PK\x03\x04": "a workbook or a ZIP archive. Save the sheet as CSV; or unpack it: unzip -p FILE | headrace ... -",
    b"\xd0\xcf\x11\xe0": "an old workbook of Excel. Save the sheet as CSV",
    b"%PDF": "a PDF. Export the table as CSV",
    b"SQLite format 3": "a database of SQLite. Export the table: sqlite3 -header -csv FILE 'SELECT ...'",
    b"\x89HDF": "an HDF5 file. Write it as CSV or Parquet",
    b"\x80\x04\x95": "a pickle, which is never loaded. Write it as CSV or Parquet",
}
"""How files begin that hold a table and are not read, and what to do."""

JSON = {".ndjson", ".jsonl", ".json"}
COLUMNAR = {".parquet": "Parquet", ".pq": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}


def read_stream(
    stream: Stream, encoding: str | None = None, wanted: Iterable[str] = (), *, is_open: bool = True
) -> Table | Records:
    """Read a stream; a usage error if it is no file of samples. `wanted` and `is_open` are those of `read_json_lines`."""
    head = stream.head
    for magic, what in FOREIGN.items():
        if head.startswith(magic):
            raise click.UsageError(f"{stream.name} is {what}.")
    for magic, format_ in MAGIC.items():
        if head.startswith(magic):
            return read_arrow(stream, format_)
    suffixes = [suffix.lower() for suffix in Path(stream.name).suffixes]
    for suffix in suffixes[-2:]:
        if suffix in COLUMNAR:
            raise click.UsageError(f"{stream.name} is no {COLUMNAR[suffix]} file.")
    begin = head.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\0")
    is_text = any(suffix in (".csv", ".tsv") for suffix in suffixes[-2:])
    if (
        any(suffix in JSON for suffix in suffixes[-2:])
        or begin.startswith((b'{"', b"[{"))
        or (begin.startswith(b"{") and not is_text)
    ):
        return read_json_lines(stream, wanted, is_open=is_open)
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")) and head.count(0) < len(head) / 5:
        raise click.UsageError(f"{stream.name} is no text. Name a text table, JSON lines, Parquet or Arrow file.")
    return read_text_table(stream, encoding)
