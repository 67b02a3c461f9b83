"""Opens the sources that a user names: files of any kind, several of them, or a data set of River, as samples for a task."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from headrace.app.files.formats import read_stream
from headrace.app.files.json_lines import Records
from headrace.app.files.opening import STDIN, Stream, expand
from headrace.app.files.records import record_samples
from headrace.app.files.river import open_river
from headrace.app.files.rows import Rows
from headrace.app.files.sample import Sample, SampleSource
from headrace.app.files.table import Table
from headrace.app.files.unpacking import DAMAGED
from headrace.learning.task import Task
from headrace.learning.task.columns import Columns

RIVER = "river:"


class Named(NamedTuple):
    """The columns that the options of a command name; they override those of the task."""

    label: str | None = None
    id: str | None = None
    key: str | None = None
    time: str | None = None

    def over(self, columns: Columns | None) -> Columns:
        """Return the columns of a task with these in place of its own.

        Examples
        --------
        >>> Named(key="user").over(Columns(label="bought", key="shop")).key
        'user'
        """
        given = {name: value for name, value in self._asdict().items() if value}
        return msgspec.structs.replace(columns or Columns(), **given)


NONE = Named()


def open_source(names: Sequence[str] | str, task: Task, named: Named = NONE) -> SampleSource:
    """Open the files of these names, or `river:NAME`, as samples; a usage error if one cannot be read.

    Parameters
    ----------
    names
        Paths, globs, `-` for standard input, or one `river:NAME`.
    task
        The task that the samples are for.
    named
        What the options of the command say of the columns.
    """
    names = [names] if isinstance(names, str) else list(names)
    if any(name.startswith(RIVER) for name in names):
        if len(names) > 1:
            raise click.UsageError("a data set of River stands alone: name no file beside it.")
        if named.label or named.id or named.time:
            raise click.UsageError(
                "--label, --id and --time are for tables: a data set of River knows its labels and has no ids."
            )
        return open_river(names[0].removeprefix(RIVER), task, named.key)
    files = expand(names)
    if files.count(STDIN) > 1:
        raise click.UsageError("standard input can be read once: name - once.")
    return _Files(files, task, named).source()


class _Files:
    """Reads files one after the other. The first is opened at once, so that its errors and notes come before its samples."""

    def __init__(self, files: list[str], task: Task, named: Named):
        self.files, self.task, self.named = files, task, named
        self.columns = named.over(task.columns)
        self.rows: Rows | None = None
        self.notes: list[str] = []
        self._before = 0
        self._stream = Stream(files[0])
        self._total = sum(Path(file).stat().st_size for file in files if file != STDIN)

    def source(self) -> SampleSource:
        first = self._samples(self._stream)
        if self.rows is not None and self.rows.left_out and self.task.features is not None:
            self.notes.append(f"Columns left out, not being declared in the settings: {', '.join(self.rows.left_out)}.")
        total = 0 if STDIN in self.files else self._total
        return SampleSource(
            self._all(first), total, lambda: self._before + self._stream.bytes, self.notes, len(self.files)
        )

    def _all(self, first: Iterator[Sample]) -> Iterator[Sample]:
        samples = first
        for file in [*self.files[1:], None]:
            try:
                yield from samples
            except DAMAGED as error:
                raise self._stream.damaged(error) from None
            if file is not None:
                self._before += self._stream.size
                self._stream = Stream(file)
                samples = self._samples(self._stream)

    def _samples(self, stream: Stream) -> Iterator[Sample]:
        wanted = [
            *(self.task.features or ()),
            *(name for name in (self.columns.id, self.columns.key, self.columns.time) if name),
        ]
        read = read_stream(stream, self.columns.encoding, wanted, is_open=self.task.features is None)
        if isinstance(read, Records):
            if self.named.label or self.named.id or self.named.time:
                what = f"{stream.name} has records, which have label, id and time inside"
                raise click.UsageError(f"--label, --id and --time are for tables: {what}.")
            return record_samples(read.lines, self.task, self.named.key, stream.name)
        return self._table(read, stream.name)

    def _table(self, table: Table, file: str) -> Iterator[Sample]:
        if self.rows is None:
            self.rows = Rows(self.task, self.columns, table, file)
        samples = iter(self.rows.samples(table, file))
        self.notes += table.notes  # of a later file they are said at the end
        return samples
