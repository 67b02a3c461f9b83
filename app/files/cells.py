"""Cells: which of them are missing, the type of a column, and the value of a cell of that type."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from headrace.app.files.dates import EXAMPLES, date_reader, find_form, is_ambiguous
from headrace.app.files.numbers import NEARLY, WHOLE, Decimal, number_reader, read_number
from headrace.learning.task import Value
from headrace.learning.task.columns import DateForm

Cell = str | bool | int | float | None
"""A cell: always a string in a text table; whatever a value may be in JSON, Parquet and Arrow."""

Type = Literal["float", "int", "bool", "string", "time"]
"""The type of a column. A `time` is a feature in seconds, for now: hour and weekday would be steps of the fold."""

MISSING = frozenset({"", "nan", "na", "<na>", "#n/a", "n/a", "null", "none", "nat", "?", "-"})
"""What stands for a missing value, in lower case and without blanks around it."""

BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False, "yes": True, "no": False,
            "y": True, "n": False, "t": True, "f": False}  # fmt: skip

SPOILT_MIN = 20
"""The known cells from which on a column of numbers may have a few that are none."""

NOUNS = {"bool": "true or false", "int": "whole numbers", "float": "numbers", "time": "dates"}

Read = Callable[[str], Value | None]
"""Reads the text of a cell; None if the value is missing."""


class InvalidCellError(ValueError):
    """A cell does not fit the type of its column."""


class Column(NamedTuple):
    """What a column holds: its type, the form of its dates, and the cells that are not of the type.

    `is_open` says that these may be dates, of which day and month cannot be told apart.
    """

    type: Type
    form: DateForm | None = None
    spoilt: tuple[str, ...] = ()
    is_open: bool = False


class Missing:
    """Decides which cells are missing.

    Parameters
    ----------
    words
        Cells that mean it beside the usual ones.
    but
        Usual ones that do not mean it here.

    Examples
    --------
    >>> missing = Missing(["unknown"])
    >>> [missing(cell) for cell in ("NA", " ", "Unknown", "0")]
    [True, True, True, False]
    """

    def __init__(self, words: Iterable[str] = (), *, but: Iterable[str] = ()):
        self.words = (MISSING - set(but)) | {word.strip().lower() for word in words}

    def __call__(self, cell: str) -> bool:
        """Return whether the text of a cell means that the value is missing."""
        return cell in self.words or cell.strip().lower() in self.words

    def known(self, cells: Iterable[Cell]) -> dict[str, int]:
        """Return the texts of the cells that are not missing, in their order, and how often each stands there."""
        return {text: count for text, count in Counter(map(text_of, cells)).items() if not self(text)}


def text_of(cell: Cell) -> str:
    """Return a cell as the text that a file of text would have for it.

    Examples
    --------
    >>> text_of(" a "), text_of(True), text_of(3), text_of(2.5), text_of(None)
    ('a', 'true', '3', '2.5', '')
    """
    if isinstance(cell, str):
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return repr(cell)


def infer(name: str, known: Mapping[str, int], decimal: Decimal = ".") -> Column:
    """Infer what a column holds from its known texts and their counts.

    Examples
    --------
    >>> missing = Missing()
    >>> [infer("a", missing.known(cells)).type for cells in (["1", "2.5", ""], ["true", "False"], ["01234", "80331"])]
    ['float', 'bool', 'string']
    >>> infer("a", missing.known([*"1234512345123451234512345", "broken"]))
    Column(type='float', form=None, spoilt=('broken',), is_open=False)
    """
    if not known:
        return Column("string")
    if all(text.lower() in ("true", "false") for text in known):
        return Column("bool")
    if form := find_form(name, known):
        return Column("time", form)
    cells = sum(known.values())
    allowed = (1 - NEARLY) * cells if cells >= SPOILT_MIN else 0.0
    spoilt: list[str] = []
    for text, count in known.items():
        if read_number(text, decimal) is None:
            spoilt.append(text)
            allowed -= count
            if allowed < 0:
                return Column("string", is_open=is_ambiguous(known))
    return Column("float", None, tuple(spoilt))


def make_reader(name: str, type_: Type, missing: Missing, decimal: Decimal = ".", form: DateForm | None = None) -> Read:
    """Return the function that reads the cells of a column; it raises InvalidCellError for a cell that does not fit.

    Examples
    --------
    >>> read = make_reader("price", "float", Missing())
    >>> read("12"), read(" NA ")
    (12.0, None)
    >>> read("cheap")
    Traceback (most recent call last):
    ...
    headrace.app.files.cells.InvalidCellError: 'price' holds numbers, and 'cheap' is none. Correct it, or leave it out.
    """
    words = missing.words
    if type_ == "string":

        def read_string(cell: str) -> Value | None:
            text = cell.strip()
            return None if text in words or text.lower() in words else text

        return read_string
    if form is not None or type_ == "time":
        read = date_reader(form or "iso")
        noun = f"dates such as {EXAMPLES[form or 'iso']}"
    elif type_ == "bool":
        read, noun = lambda text: BOOLEANS.get(text.lower()), NOUNS["bool"]
    elif type_ == "int":
        read, noun = (
            lambda text: int(text) if WHOLE.fullmatch(text) else _whole(read_number(text, decimal)),
            NOUNS["int"],
        )
    else:
        read, noun = number_reader(decimal), NOUNS["float"]

    def read_cell(cell: str) -> Value | None:
        text = cell.strip()
        if text in words or text.lower() in words:
            return None
        value: Value | None = read(text)
        if value is None:
            raise InvalidCellError(f"'{name}' holds {noun}, and '{text[:80]}' is none. Correct it, or leave it out.")
        return value

    return read_cell


def _whole(value: float | None) -> int | None:
    """Return a number as a whole number, such as 3 of `3.0`; None if it is none."""
    return int(value) if value is not None and value.is_integer() and abs(value) < 2**53 else None


def accept_values(read: Read, type_: Type, form: DateForm | None = None) -> Callable[[Cell], Value | None]:
    """Return a reader of cells that may be values already, as in JSON and Parquet: a value of the type stays as it is.

    Examples
    --------
    >>> read = accept_values(make_reader("price", "float", Missing()), "float")
    >>> read(12), read("12"), read(None)
    (12, 12.0, None)
    """
    fitting: tuple[type, ...] = {
        "float": (float, int),
        "int": (int,),
        "bool": (bool,),
        "time": (float, int),
        "string": (),
    }[type_]
    if form not in (None, "seconds"):
        fitting = ()  # milliseconds have to be divided, also where they are numbers

    def accept(cell: Cell) -> Value | None:
        if cell is None or cell != cell:  # noqa: PLR0124 NaN
            return None
        return cell if type(cell) in fitting else read(text_of(cell))

    return accept
