"""Reads CSV: infers the types of columns, and turns cells into values."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from headrace.learning.task import Task, Value

Type = Literal["float", "int", "bool", "string"]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
PADDED = re.compile(r"[+-]?0\d")
"""Digits with a leading zero are codes and not numbers: a postcode 01234 would lose its zero."""

BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
UNKNOWN = {"", "nan", "na", "n/a", "null", "none"}


class InvalidCellError(ValueError):
    """A cell does not fit the type of its column."""


class CsvRow(NamedTuple):
    """A row of a CSV file: its cells, and the line on which it ends. `error` says why the row could not be read."""

    line: int
    cells: list[str]
    error: str = ""


def read_rows(lines: Iterable[bytes]) -> Iterator[CsvRow]:
    """Yield the rows of a CSV in UTF-8, its header first. The most frequent of comma, semicolon and tab in the header separates cells.

    Examples
    --------
    >>> [row.cells for row in read_rows([b"a;b", b'1;"x;y"'])]
    [['a', 'b'], ['1', 'x;y']]
    """
    # Bytes that are not UTF-8 become lone surrogates, which no encoder takes: the row is refused later, and reading goes on.
    texts = (line.decode("utf-8", "surrogateescape") for line in lines)
    first = next(texts, "").removeprefix("\ufeff")

    def again() -> Iterator[str]:
        yield first
        yield from texts

    reader = csv.reader(again(), delimiter=max(",;\t", key=first.count))
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield CsvRow(reader.line_num, [], f"the row is not CSV: {error}.")
            continue
        if cells:
            yield CsvRow(reader.line_num, cells)


def infer_type(cells: Iterable[str]) -> Type:
    """Infer the type of a column from its cells. Empty cells and words such as `nan` do not count.

    Examples
    --------
    >>> infer_type(["1", "2.5", ""]), infer_type(["true", "False"]), infer_type(["01234", "80331"]), infer_type(["1", "many"])
    ('float', 'bool', 'string', 'string')
    """
    known = {cell for cell in cells if cell.lower() not in UNKNOWN}
    if not known:
        return "string"
    if all(cell.lower() in ("true", "false") for cell in known):
        return "bool"
    if all(NUMBER.fullmatch(cell) and not PADDED.match(cell) for cell in known):
        return "float"
    return "string"


def read_cell(name: str, kind: Type, cell: str) -> Value:
    """Read a cell as a value of its column's type; InvalidCellError if the cell does not fit the type.

    Examples
    --------
    >>> read_cell("price", "float", "12")
    12.0
    >>> read_cell("price", "float", "cheap")
    Traceback (most recent call last):
    ...
    headrace.app.cli.columns.InvalidCellError: 'price' holds numbers, and 'cheap' is none. Correct it, or leave it out.
    """
    if kind == "string":
        return cell
    if kind == "bool":
        if (value := BOOLEANS.get(cell.lower())) is not None:
            return value
    elif kind == "int":
        if WHOLE.fullmatch(cell):
            return int(cell)
    elif NUMBER.fullmatch(cell):
        return float(cell)
    noun = {"bool": "true or false", "int": "whole numbers", "float": "numbers"}[kind]
    raise InvalidCellError(f"'{name}' holds {noun}, and '{cell[:80]}' is none. Correct it, or leave it out.")


def label_reader(task: Task, cells: Iterable[str]) -> Callable[[str], Value]:
    """Return the function that reads a cell as a label of the task; `cells` are the first cells of the column.

    Examples
    --------
    >>> label_reader(Task(name="ads", kind="binary"), [])("1")
    True
    >>> label_reader(Task(name="digits", kind="multiclass"), ["3", "7"])("5")
    5
    """
    if task.kind == "binary":
        return _binary_label
    if task.kind == "regression":
        return lambda cell: read_cell("label", "float", cell)
    if task.labels is not None:
        # The reader of records refuses an undeclared label, and names the declared ones.
        declared: dict[str, Value] = {str(label): label for label in task.labels}
        return lambda cell: declared.get(cell, cell)
    if all(WHOLE.fullmatch(cell) for cell in cells):
        return lambda cell: read_cell("label", "int", cell)
    return str


def _binary_label(cell: str) -> Value:
    value = BOOLEANS.get(cell.lower())
    if value is None:
        raise InvalidCellError(f"label '{cell[:80]}' is not one of true, false, 1, 0. Correct it.")
    return value
