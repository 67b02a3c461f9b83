"""Samples from rows: the columns of a table become the features, label, id, key and time of a record."""

from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from headrace.app.files.cells import InvalidCellError, Missing, Type, accept_values, infer, make_reader, text_of
from headrace.app.files.labels import label_reader
from headrace.app.files.numbers import Decimal, find_decimal
from headrace.app.files.sample import Sample, find_reason
from headrace.app.files.table import Row, Table
from headrace.learning.records import Reader
from headrace.learning.task import Json, Task
from headrace.learning.task.columns import Columns, DateForm

NOT_UTF8 = 'the row is not UTF-8. If the file is not: encoding = "cp1252" in the table columns of the task, or another.'

Accept = Callable[[Any], Any]


class Kept(NamedTuple):
    """A column that becomes a feature: its type, and the form of its dates."""

    name: str
    type: Type
    form: DateForm | None


class Rows:
    """Makes samples of the rows of tables. What a column holds is decided by the first table that has it; further ones are read alike.

    Parameters
    ----------
    task
        The task that the samples are for.
    columns
        What the columns are for.
    table
        The first table.
    file
        Its name.
    labelled
        Whether the rows have labels, which those of an anomaly task may lack. Otherwise they are questions: the columns of label and time are no features, and are not read.

    Raises
    ------
    click.UsageError
        A column that is named is not there.
    """

    def __init__(self, task: Task, columns: Columns, table: Table, file: str, *, labelled: bool = True):
        table.check(file)
        self.task, self.labelled, self._file = task, labelled, file
        self.label = columns.label or "label"
        has_label = labelled and (task.kind != "anomaly" or self.label in table.places)
        self.missing = Missing(columns.missing)
        self._excluded = {self.label, columns.id, columns.key, columns.time}
        if not labelled:
            columns = msgspec.structs.replace(columns, time=None)
        self.columns = columns
        self._check_named(table)
        names = self._features(table)
        judged = (*names, self.label) if has_label else names
        known = {name: self.missing.known(table.column(name, table.first)) for name in judged}
        self.decimal: Decimal = columns.decimal or self._find_decimal(names, known, table)
        self.kept = {name: self._keep(name, known[name]) for name in names}
        labels = map(text_of, table.column(self.label, table.first)) if has_label else ()
        self.read_label = label_reader(task, columns, labels, self.decimal)
        self.left_out = self._left_out(table)
        self._check = Reader(task)
        self._time: Accept | None = None
        self._form: DateForm | None = None
        if columns.time is not None:
            times = self.missing.known(table.column(columns.time, table.first))
            form = columns.dates.get(columns.time) or infer(columns.time, times).form
            self._form = form
            self._time = make_reader(columns.time, "time" if form else "float", self.missing, self.decimal, form)

    def _features(self, table: Table) -> list[str]:
        """Return those columns of a table that are features."""
        declared, excluded = self.task.features, self._excluded
        return [
            name
            for name in table.places
            if name != self.label and (name in declared if declared is not None else name not in excluded)
        ]

    def _left_out(self, table: Table) -> list[str]:
        names = self._features(table)
        return [name for name in table.places if name not in self._excluded and name not in names]

    def _check_named(self, table: Table, file: str = "") -> None:
        columns = self.columns
        needed = self.labelled and self.task.kind != "anomaly"
        table.check_named(self.label if needed else None, columns.id, columns.key, columns.time, file)

    def _find_decimal(self, names: list[str], known: dict[str, dict[str, int]], table: Table) -> Decimal:
        declared = self.task.features or {}
        numeric = [
            list(known[name]) for name in names if name not in declared or declared[name].type in ("float", "int")
        ]
        if self.task.kind == "regression" and self.labelled:
            numeric.append(list(known[self.label]))
        decimal, is_guess = find_decimal(numeric, table.delimiter) if table.is_text else (".", False)
        if is_guess and decimal == ",":
            table.notes.append(f"1.234 is read as 1234: set decimal in [tasks.{self.task.name}.columns] if it is not.")
        return decimal

    def _keep(self, name: str, known: dict[str, int]) -> Kept:
        form = self.columns.dates.get(name)
        if self.task.features is None:
            column = infer(name, known, self.decimal)
            return Kept(name, column.type, form or column.form)
        type_ = self.task.features[name].type
        if type_ == "float" and form is None:
            form = infer(name, known, self.decimal).form
        return Kept(name, type_, form)

    def samples(self, table: Table, file: str) -> Iterable[Sample]:
        """Yield a sample for each row of a table. Its columns that no table before had are judged by it."""
        table.check(file)
        self._check_named(table, "" if file == self._file else file)
        for name in self._features(table):
            if name not in self.kept:
                self.kept[name] = self._keep(name, self.missing.known(table.column(name, table.first)))
        more = [name for name in self._left_out(table) if name not in self.left_out]
        if self.task.features is not None and file != self._file and more:
            table.notes.append(f"{file}: columns left out, not being declared in the settings: {', '.join(more)}.")
        make = self._maker(table, file)
        return map(make, table.rows)

    def _maker(self, table: Table, file: str) -> Callable[[Row], Sample]:
        places, columns = table.places, self.columns
        width, check, encode = len(table.header), self._check, msgspec.json.Encoder().encode
        text = table.is_text
        features = [
            (places[one.name], one.name, _reader(one, self.missing, self.decimal, is_text=text))
            for one in self.kept.values()
            if one.name in places
        ]
        label_place = places.get(self.label) if self.labelled else None
        read_label = self.read_label if text else _accept_label(self.read_label, self.task, columns)
        id_place, key_place, time_place = (
            None if name is None else places[name] for name in (columns.id, columns.key, columns.time)
        )
        read_time = self._time if text or self._time is None else accept_values(self._time, "time", self._form)

        def named(cells: Any, place: int, what: str) -> str:
            name = text_of(cells[place])
            if self.missing(name):
                raise InvalidCellError(f"the {what} is missing. Send rows that have one.")
            return name

        def sample(row: Row) -> Sample:
            line, error = row.line, row.error
            cells: Any = row.cells
            if error or len(cells) != width:
                reason = error or f"the row has {len(cells)} cells and the header has {width}."
                return Sample(line, b"", reason=reason, file=file)
            record: dict[str, Json] = {}
            key = None
            try:
                if id_place is not None:
                    record["id"] = named(cells, id_place, "id")
                if key_place is not None:
                    key = named(cells, key_place, "key")
                if (
                    time_place is not None
                    and read_time is not None
                    and (time := read_time(cells[time_place])) is not None
                ):
                    record["time"] = time
                # A missing value is a feature that the record lacks.
                record["features"] = values = {}
                for place, name, read in features:
                    value = read(cells[place])
                    if value is not None:
                        values[name] = value
                if label_place is not None and (label := read_label(cells[label_place])) is not None:
                    record["label"] = label
                line_of_log = encode(record)
                # A question needs an id only in the log.
                checked = line_of_log if self.labelled else encode({"id": "question"} | record)
            except InvalidCellError as problem:
                return Sample(line, b"", reason=str(problem), file=file)
            except UnicodeEncodeError:
                return Sample(line, b"", reason=NOT_UTF8, file=file)
            return Sample(line, line_of_log, key, find_reason(check, checked), False, file)

        return sample


def _reader(kept: Kept, missing: Missing, decimal: Decimal, *, is_text: bool) -> Accept:
    read = make_reader(kept.name, kept.type, missing, decimal, kept.form)
    return read if is_text else accept_values(read, kept.type, kept.form)


def _accept_label(read: Callable[[str], Any], task: Task, columns: Columns) -> Accept:
    """Read labels that may be values already: a number of a regression and a boolean of two classes are not read as texts of a file.

    Examples
    --------
    >>> columns = Columns(positive="Yes", decimal=",")
    >>> accept = _accept_label(label_reader(Task(name="ads", kind="binary"), columns, ["Yes"]), Task(name="ads", kind="binary"), columns)
    >>> accept(True), accept("Yes"), accept("No")
    (True, True, False)
    """
    if task.kind == "regression":
        return lambda cell: float(cell) if type(cell) in (int, float) and isfinite(cell) else read(text_of(cell))
    if task.kind in ("binary", "anomaly") and not isinstance(columns.positive, bool):
        return lambda cell: cell if type(cell) is bool else read(text_of(cell))
    return lambda cell: read(text_of(cell))
