"""Parquet and Arrow files, by pyarrow, which comes with `headrace[parquet]`."""

from collections.abc import Callable, Iterator
from typing import Any

import click

from headrace.app.files.cells import Cell
from headrace.app.files.opening import STDIN, Stream
from headrace.app.files.table import Row, Table

MAGIC = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"\xff\xff\xff\xff": "Arrow stream"}
"""How the files begin."""

BATCH = 4_096
"""Rows that are in memory at a time, as far as the file lets."""

INDEX = "__index_level_0__"
"""The column in which pandas keeps the index of a data frame."""


def read_arrow(stream: Stream, format_: str) -> Table:
    """Read a Parquet or Arrow file; a usage error if pyarrow is not installed, or if the file is damaged."""
    try:
        import pyarrow as pa
    except ImportError:
        raise click.UsageError(
            f"{stream.name} is {format_}, which needs pyarrow: pip install 'headrace[parquet]'."
        ) from None
    try:
        schema, total, batches = _open(stream, format_)
    except (pa.ArrowException, OSError) as error:
        raise click.UsageError(f"{stream.name} is no {format_} file that can be read: {_first_line(error)}") from None
    readers = {field.name: _cell_reader(field.type) for field in schema}
    left_out = [name for name, reader in readers.items() if reader is None]
    header = ["" if readers[name] is None or name == INDEX else name for name in schema.names]
    notes = (
        [f"{stream.name}: columns left out, which hold lists, objects or bytes: {', '.join(left_out)}."]
        if left_out
        else []
    )
    if INDEX in schema.names:
        notes.append(f"{stream.name}: the index of the data frame is left out.")

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for batch in batches:
                columns = [
                    _cells(batch.column(place), readers[name] if header[place] else None)
                    for place, name in enumerate(schema.names)
                ]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield Row(number, cells)
                if total:
                    stream.advance(number / total)
        except (pa.ArrowException, OSError) as error:
            raise click.UsageError(f"{stream.name} is damaged after row {number:,}: {_first_line(error)}") from None

    return Table(header, rows(), notes, is_text=False)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].rstrip(".") + "."


def _open(stream: Stream, format_: str) -> tuple[Any, int, Iterator[Any]]:
    """Return the schema, the number of rows if it is known, and the batches."""
    import pyarrow as pa

    source: Any = stream.name
    if stream.name == STDIN or stream.is_packed:
        source = pa.BufferReader(stream.open().read())  # its end has to be read first
    if format_ == "Parquet":
        import pyarrow.parquet as pq

        file = pq.ParquetFile(source)
        return file.schema_arrow, file.metadata.num_rows, file.iter_batches(BATCH)
    mapped = pa.memory_map(source) if isinstance(source, str) else source
    if format_ == "Arrow":
        opened = pa.ipc.open_file(mapped)
        return opened.schema, 0, (opened.get_batch(at) for at in range(opened.num_record_batches))
    reader = pa.ipc.open_stream(mapped)
    return reader.schema, 0, iter(reader)


def _cell_reader(kind: Any) -> Callable[[Any], Any] | None:
    """Return what turns an array of this type into cells; None if they are no values of features."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _cell_reader(kind.value_type)
    if types.is_timestamp(kind):

        def moments(array: Any) -> list[Cell]:
            whole = array.cast(pa.timestamp("us", kind.tz), safe=False)
            return [None if one is None else one.isoformat() for one in whole.to_pylist()]

        return moments
    if types.is_date(kind) or types.is_time(kind):
        return lambda array: [None if one is None else one.isoformat() for one in array.to_pylist()]
    if types.is_decimal(kind):
        return lambda array: [None if one is None else float(one) for one in array.to_pylist()]
    plain = (
        types.is_boolean,
        types.is_integer,
        types.is_floating,
        types.is_string,
        types.is_large_string,
        types.is_null,
    )
    if any(is_(kind) for is_ in plain) or "string_view" in str(kind):
        return lambda array: array.to_pylist()
    return None


def _cells(array: Any, read: Callable[[Any], Any] | None) -> list[Cell]:
    if read is None:
        return [None] * len(array)
    cells: list[Cell] = read(array)
    return cells
