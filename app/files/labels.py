"""Labels in files: the cells that mean true and false, and how a cell becomes a label of a task."""

from collections.abc import Callable, Iterable, Mapping

from headrace.app.files.cells import BOOLEANS, Cell, InvalidCellError, Missing, make_reader, text_of
from headrace.app.files.numbers import Decimal, read_number
from headrace.learning.task import Kind, Task, Value
from headrace.learning.task.columns import Columns

PAIRS = [("true", "false"), ("1", "0"), ("yes", "no"), ("y", "n"), ("t", "f"), ("2", "1"), ("1", "-1"), ("+", "-"),
         ("ja", "nein"), ("oui", "non"), ("si", "no"), ("sim", "não")]  # fmt: skip
"""Cells that mean true and false. Of numbers the larger one is true."""

CLASSES = ("-", "none")
"""Cells that mean a missing value, and may be a class among words: `+` and `-`, `none` and `some`."""

CLASSES_MAX = 50
"""Labels with more different whole numbers than this are quantities and not classes."""

ROWS_MIN = 20
"""The fewest rows from which it can be told that labels are all different."""


def normal(cell: Cell) -> str:
    """Return the form in which cells are compared: lower case, `1.0` as `1`.

    Examples
    --------
    >>> normal(" Yes "), normal("1.0"), normal(True), normal("-1")
    ('yes', '1', 'true', '-1')
    """
    text = text_of(cell).lower()
    number = None if text.isalpha() else read_number(text)
    return str(int(number)) if number is not None and number.is_integer() else text


def find_pair(labels: Iterable[str]) -> tuple[str, str] | None:
    """Return the cells that mean true and false, as they are written in the file; None if the labels are no such pair.

    Examples
    --------
    >>> find_pair(["No", "Yes"]), find_pair(["1", "2"]), find_pair(["cat", "dog"])
    (('Yes', 'No'), ('2', '1'), None)
    """
    written = {normal(label): label for label in labels}
    return next(((written[true], written[false]) for true, false in PAIRS if written.keys() == {true, false}), None)


def choose_pair(labels: Mapping[str, int]) -> tuple[str, str] | None:
    """Choose of two labels, with their counts, the one that means true and the one that means false; None if there are not two classes.

    Of two words that say nothing of it the rarer one is true, since it is what one looks for: spam, fraud, a defect. Of equally frequent
    ones the last of the alphabet is, as in scikit-learn, and of two whole numbers the larger one.

    Examples
    --------
    >>> choose_pair({"ham": 90, "spam": 10}), choose_pair({"4": 9, "2": 5}), choose_pair({"dog": 5, "cat": 5})
    (('spam', 'ham'), ('4', '2'), ('dog', 'cat'))
    """
    if pair := find_pair(labels):
        return pair
    if len(labels) != 2 or len({normal(label) for label in labels}) != 2:
        return None
    numbers = {label: read_number(label) for label in labels}
    known = [number for number in numbers.values() if number is not None]
    if not all(number.is_integer() for number in known):
        return None
    if len(known) == len(labels):
        false, true = sorted(labels, key=lambda label: numbers[label] or 0.0)
    else:
        true, false = sorted(sorted(labels, reverse=True), key=lambda label: labels[label])
    return true, false


def missing_labels(words: Iterable[str], cells: Iterable[Cell]) -> Missing:
    """Return which cells of a column of labels are missing: among words fewer than among numbers.

    Examples
    --------
    >>> [missing_labels([], cells)("-") for cells in (["+", "-"], ["1.5", "-"])]
    [False, True]
    """
    usual = Missing(words)
    known = usual.known(cells)
    return usual if known and all(read_number(one) is not None for one in known) else Missing(words, but=CLASSES)


def guess_kind(labels: Mapping[str, int], decimal: Decimal = ".", positive: object = None) -> Kind:
    """Guess the kind of a task from its distinct labels and their counts.

    Examples
    --------
    >>> [guess_kind(dict.fromkeys(labels, 9)) for labels in (["yes", "no"], ["cat", "dog"], ["a", "b", "c"], ["1.5", "2"])]
    ['binary', 'binary', 'multiclass', 'regression']
    """
    known, rows = list(labels), sum(labels.values())
    forms = {normal(label) for label in known}
    if (positive is not None and len(forms) <= 2) or (
        forms and (all(form in BOOLEANS for form in forms) or choose_pair(labels))
    ):
        return "binary"
    numbers = [read_number(label, decimal) for label in known]
    if not known or None in numbers:
        return "multiclass"
    whole = all(number is not None and number.is_integer() for number in numbers)
    return "multiclass" if whole and len(known) <= CLASSES_MAX and not all_differ(len(known), rows) else "regression"


def all_differ(distinct: int, rows: int) -> bool:
    """Return whether labels are so different that they cannot be classes."""
    return rows >= ROWS_MIN and distinct > rows / 2


def label_reader(
    task: Task, columns: Columns, cells: Iterable[str], decimal: Decimal = "."
) -> Callable[[str], Value | None]:
    """Return the function that reads a cell as a label of the task; `cells` are the first cells of the column. Without labels it may give None.

    Examples
    --------
    >>> label_reader(Task(name="ads", kind="binary"), Columns(), [])("1")
    True
    >>> label_reader(Task(name="digits", kind="multiclass"), Columns(), ["3", "7"])("5")
    5
    """
    cells = list(cells)
    missing = Missing(columns.missing) if task.kind == "regression" else missing_labels(columns.missing, cells)
    known = list(missing.known(cells))
    read: Callable[[str], Value]
    if task.kind in ("binary", "anomaly"):
        read = _binary_reader(columns, known)
    elif task.kind == "regression":
        number = make_reader("label", "float", missing, decimal)

        def read(cell: str) -> Value:
            value = number(cell)
            assert value is not None  # a missing one was refused
            return value

    else:
        read = _class_reader(task, known)

    def read_label(cell: str) -> Value | None:
        if missing(cell) and not (task.labels and cell in task.labels):
            if task.kind == "anomaly":
                return None
            raise InvalidCellError("the label is missing. Send the row when its label is known.")
        return read(cell.strip())

    return read_label


def _class_reader(task: Task, known: list[str]) -> Callable[[str], Value]:
    if task.labels is not None:
        # The reader of records refuses an undeclared label, and names the declared ones.
        declared: dict[str, Value] = {str(label): label for label in task.labels}
        return lambda cell: declared.get(cell, declared.get(normal(cell), cell))
    if all((number := read_number(cell)) is not None and number.is_integer() for cell in known):

        def read(cell: str) -> Value:
            number = read_number(cell)
            if number is None or not number.is_integer():
                raise InvalidCellError(
                    f"'label' holds whole numbers, and '{cell[:80]}' is none. Correct it, or leave it out."
                )
            return int(number)

        return read
    return str


def _binary_reader(columns: Columns, known: list[str]) -> Callable[[str], Value]:
    if columns.positive is not None:
        return _named_reader(columns)
    pair = find_pair(known)
    if (pair and normal(pair[0]) not in BOOLEANS) or (pair and normal(pair[1]) not in BOOLEANS):
        meant = {normal(pair[0]): True, normal(pair[1]): False}
        return lambda cell: _meaning(meant, cell, f"{pair[0]}, {pair[1]}")
    return lambda cell: _meaning(BOOLEANS, cell, "true, false, 1, 0, yes, no")


def _named_reader(columns: Columns) -> Callable[[str], Value]:
    """Read labels by the cell that means true. Without one that means false, the first other cell does."""
    meant = {normal(columns.positive): True}
    if columns.negative is not None:
        meant[normal(columns.negative)] = False
    written = [text_of(one) for one in (columns.positive, columns.negative) if one is not None]

    def read(cell: str) -> Value:
        if len(meant) == 1 and normal(cell) not in meant:
            meant[normal(cell)] = False
            written.append(cell)
        return _meaning(meant, cell, ", ".join(written))

    return read


def _meaning(meant: dict[str, bool], cell: str, known: str) -> bool:
    value = meant.get(cell.lower())
    if value is None:
        value = meant.get(normal(cell))
    if value is None:
        remedy = "Correct it, or name the cell that means true: positive in the table columns of the task."
        raise InvalidCellError(f"label '{cell[:80]}' is not one of {known}. {remedy}")
    return value
