"""A look at a table: what each of its columns holds, and what it becomes in a task."""

import datetime as dt
import re
from itertools import groupby, islice, pairwise
from operator import attrgetter
from typing import NamedTuple

import click
import msgspec

from headrace.app.files.cells import BOOLEANS, Cell, Column, Missing, infer, make_reader, text_of
from headrace.app.files.dates import EPOCH
from headrace.app.files.identity import are_ids, count_rows
from headrace.app.files.labels import choose_pair, find_pair, guess_kind, missing_labels, normal
from headrace.app.files.numbers import Decimal, find_decimal, read_number
from headrace.app.files.several import ROWS_READ
from headrace.app.files.sources import Named
from headrace.app.files.table import Row, Table
from headrace.learning.task import Feature, Kind, Making
from headrace.learning.task.columns import Columns, DateForm

ROWS_MIN = 20
"""The fewest rows from which strings can be nearly unique."""

LABELS = ("label", "target", "class", "y", "outcome", "response", "result")
"""Names of columns that are taken for the label, the likeliest first."""

TIMES = ("time", "timestamp", "datetime", "event_time", "date", "ts", "created_at")
"""Names of columns that are taken for the event time, if they hold nothing but dates."""

IDENTITY = re.compile(r"(?i:^|[\s_.-])(?i:id|ids|uuid|guid)$|[a-z](?:Id|ID)$|(?i:^(?:index|rownames|row)$)")
"""Names of columns that identify a row or an entity."""

PERIOD = re.compile(r"(?i)year|month|week|day|hour|quarter|season")
"""Names of columns whose numbers may go up with the rows, and still say something."""

ID_MAX = 256
"""The most characters of an id."""

UNIQUE = 0.9
"""Strings are nearly unique if so many of them are different."""

ENTITIES = 50
"""A column that is named like an id, with more values than this, is an entity's."""

WORD_MIN = 5
"""A word among numbers is taken for a missing value if there are so many different cells."""

TEXT, BLANKS = 40, 3
"""Strings that have more characters on average, and so many blanks, are texts."""

KNOWN = 0.99
"""A column with fewer of its cells tells whether a cell is missing, too."""

CATEGORIES = 1_000
"""A column of strings with more values is hashed."""

HASHED: Making = {"use": "hashed", "bits": 14}

FREQUENCY: Making = {"use": "frequency", "bits": 12}
"""The step of categories in an anomaly task: it has no labels to learn from, and a rare value is strange."""

BY_HOUR: Making = {"use": "binned", "width": 3600}
"""Seconds since midnight become hours."""


class Seen(NamedTuple):
    """What was seen of a column: what it holds, its distinct values, missing cells and cells in all, and what it becomes.

    `feature` is None for a column that becomes none.
    """

    name: str
    column: Column
    distinct: int
    missing: int
    rows: int
    shown: str
    becomes: str
    feature: Feature | None


class Look(NamedTuple):
    """A look at a table: the rows, the columns, and what follows for the task. `label` has the distinct labels and their counts."""

    rows: list[Row]
    seen: dict[str, Seen]
    columns: Columns
    kind: Kind
    label: dict[str, int]
    notes: list[str]


def look(
    table: Table,
    file: str,
    named: Named,
    kind: Kind | None = None,
    positive: str | None = None,
    *,
    has_records: bool = False,
) -> Look:
    """Look at the first rows of a table. The features of records (`has_records`) are sent as they are, so none of them is left out, and none is an id.

    Raises
    ------
    click.UsageError
        The table has no rows, no feature, or no column of that name; or the label is not named and cannot be guessed.
    """
    if not table.header and table.notes:
        raise click.UsageError(f"{file} has no column to learn from. {' '.join(table.notes)}")
    if not table.header:
        raise click.UsageError(f"{file} is empty.")
    table.check(file)
    width = len(table.header)
    read = list(islice(table.rows, ROWS_READ))
    rows = [row for row in read if not row.error and len(row.cells) == width]
    if not rows and (other := next((row for row in read if not row.error), None)) is not None:
        what = f"{file}: its header has {width} cells, and its rows have {len(other.cells)}"
        raise click.UsageError(f"{what}. Is the first line no header? Put a line of names there.")
    table.check_named(named.label, named.id, named.key, named.time)
    if not rows:
        raise click.UsageError(f"{file} has no rows under its header.")
    if others := [row for row in read if row.error or len(row.cells) != width]:
        table.notes.append(_of_unreadable(others, width))
    numbers = [name for name in table.places if table.is_text and read_number(name) is not None]
    if numbers and len(numbers) < len(table.places):
        shown = ", ".join(f"'{name}'" for name in numbers[:3])
        table.notes.append(f"Columns are called {shown}: is the first line no header? Then put a line of names there.")
    return _Looking(table, rows, named, kind, has_records=has_records).look(file, positive)


def _of_unreadable(rows: list[Row], width: int) -> str:
    """Say which rows `init` has passed over, and `send` will stop at."""
    first = rows[0]
    where = f"line {first.line}{f' of {first.file}' if first.file else ''}"
    why = first.error or f"the row has {len(first.cells)} cells and the header has {width}"
    found = (
        f"A row cannot be read, in {where}"
        if len(rows) == 1
        else f"{len(rows):,} rows cannot be read, the first in {where}"
    )
    return f"{found}: {why.rstrip('.')}. send stops there: mend it, or leave such rows out with --skip-invalid."


class _Looking:
    """Decides what the columns of a table become."""

    def __init__(
        self, table: Table, rows: list[Row], named: Named, kind: Kind | None = None, *, has_records: bool = False
    ):
        self.table, self.rows, self.named, self.kind, self.has_records = table, rows, named, kind, has_records
        self.missing, self.notes, self.counters = Missing(), list(table.notes), set[str]()
        self.known = {name: self.missing.known(self._cells(name)) for name in table.places}
        self.decimal: Decimal = "."
        if table.is_text:
            self.decimal, is_guess = find_decimal([list(known) for known in self.known.values()], table.delimiter)
            if is_guess:
                meant = (
                    "1,234 and 1.234 as 1234 and 1.234" if self.decimal == "." else "1.234 and 1,234 as 1234 and 1.234"
                )
                self.notes.append(
                    f'Reads {meant}. If that is wrong, set decimal = "{"," if self.decimal == "." else "."}".'
                )
        self.held = {name: infer(name, known, self.decimal) for name, known in self.known.items()}
        self.words = self._find_words()

    def _cells(self, name: str) -> list[Cell]:
        place = self.table.places[name]
        return [row.cells[place] for row in self.rows]

    def _find_words(self) -> list[str]:
        """Take the one word that spoils a column of numbers for a missing value."""
        words = []
        for name, column in self.held.items():
            word = self._find_word(name, column)
            if word is not None:
                words.append(word)
                self.notes.append(f"'{word}' in '{name}' is taken for a missing value, as all else there are numbers.")
        words = list(dict.fromkeys(words))
        if words:
            self.missing = Missing(words)
            self.known = {name: {text: n for text, n in known.items() if not self.missing(text)} for name, known in self.known.items()}  # fmt: skip
            self.held = {name: infer(name, known, self.decimal) for name, known in self.known.items()}
        return words

    def _find_word(self, name: str, column: Column) -> str | None:
        """Return the one word in a column of numbers; None if there is none, or several, or if it has a digit or is a single letter."""
        if column.type not in ("float", "string"):
            return None
        known = self.known[name]
        others = list(islice((text for text in known if read_number(text, self.decimal) is None), 2))
        if len(others) != 1 or len(known) < WORD_MIN:
            return None
        word = others[0]
        is_word = not re.search(r"\d", word) and (len(word) > 1 or not word.isalpha())
        return word if is_word and known[word] * 2 <= sum(known.values()) else None

    def look(self, file: str, positive: str | None) -> Look:
        kind = self.kind
        label = self.named.label or (self._find_flag() if kind == "anomaly" else self._find_label(file))
        labels: dict[str, int] = {}
        if label is not None:
            labels = self.known[label] = missing_labels(self.words, self._cells(label)).known(self._cells(label))
        kind = kind or guess_kind(labels, self.decimal, positive)
        identity = self.named.id or (None if self.has_records else self._find_id(label))
        time = self.named.time or (None if self.has_records else self._find_time(label, identity))
        roles = {label: "the label", identity: "the id", self.named.key: "the key"}
        if self.named.time is not None:
            roles[time] = "the event time"
        self.counters = set()
        if not self.has_records:
            self.counters = {name for name in self.table.places if name not in roles and self._counts(name)}
        notes = list(self.notes)
        seen = {name: self._see(name, roles.get(name)) for name in self.table.places}
        if self.counters and not any(one.feature for one in seen.values()):  # they are all there is to learn from
            self.counters, self.notes = set(), notes
            seen = {name: self._see(name, roles.get(name)) for name in self.table.places}
        if time is not None and self.named.time is None:
            seen[time] = self._of_time(time)
        if not any(one.feature for one in seen.values()):
            raise click.UsageError(f"{file} has no column beside the label to learn from.")
        is_pair = kind == "binary" or (kind == "anomaly" and label is not None)
        pair = self._find_pair(labels, positive, kind) if is_pair else (None, None)
        dates: dict[str, DateForm] = {
            name: column.form
            for name, column in self.held.items()
            if column.form is not None and (seen[name].feature or name == time)
        }
        columns = Columns(
            label,
            identity,
            self.named.key,
            time,
            *pair,
            self.decimal if self.table.is_text else None,
            self.table.encoding,
            self.words,
            dates,
        )
        return Look(self.rows, seen, columns, kind, labels, self.notes)

    def _find_pair(self, labels: dict[str, int], positive: str | None, kind: Kind) -> tuple[str | None, str | None]:
        """Return the cells that mean true and false, as far as they are known."""
        if positive is None:
            pair = find_pair(labels) or choose_pair(labels)
            if kind == "anomaly" and not find_pair(labels) and len(set(labels.values())) == 1:
                pair = None  # neither is the rare one
            if pair and not find_pair(labels):
                why = "the larger" if read_number(pair[0]) is not None and read_number(pair[1]) is not None else (
                    "the rarer" if labels[pair[0]] < labels[pair[1]] else "the last in the alphabet")  # fmt: skip
                self.notes.append(
                    f"Two labels: binary. '{pair[0]}' is true, being {why}, and '{pair[1]}' false. --positive {pair[1]!r} swaps them."
                )
            if not pair and not all(normal(label) in BOOLEANS for label in labels):
                shown = ", ".join(f"'{label}'" for label in list(labels)[:4])
                raise click.UsageError(f"which label means true? There are {shown}. Add --positive LABEL.")
            return pair or (None, None)
        others = [label for label in labels if label.lower() != positive.lower()]
        if len(others) == len(labels):
            raise click.UsageError(f"no label is '{positive}' (--positive). Labels: {', '.join(list(labels)[:10])}.")
        return positive, others[0] if len(others) == 1 else None

    def _find_flag(self) -> str | None:
        """Return the column of labels of an anomaly task: one that is called so, and holds true and false; None if there is none."""
        names = (name for name in self.table.places if name.lower() in LABELS and self.known[name])
        return next((name for name in names if all(normal(cell) in BOOLEANS for cell in self.known[name])), None)

    def _find_label(self, file: str) -> str:
        by_name = {name.lower(): name for name in reversed(self.table.places)}
        found = next((by_name[name] for name in LABELS if name in by_name), None)
        if found is not None:
            return found
        names = list(self.table.places)
        could = [name for name in names if find_pair(self.known[name])]
        few = [name for name in names if self.known[name] and len(self.known[name]) <= min(20, len(self.rows) / 2)]
        best = next((name for name in (names[-1], *could, *reversed(few)) if name in could or name in few), names[-1])
        values = list(self.known[best])
        shown = f"with the values {', '.join(values[:4])}" if len(values) <= 4 else f"with {len(values):,} values"
        what = f"which column of {file} is to be predicted? None is called {', '.join(LABELS[:5])}"
        raise click.UsageError(f"{what}. It may be '{best}', {shown}: add --label {best!r}.")

    def _find_id(self, label: str | None) -> str | None:
        """Return the column that identifies the rows, by its name or else by its looks."""
        all_differ = [
            name
            for name, known in self.known.items()
            if name not in (label, self.named.key, self.named.time)
            and self.held[name].type != "time"
            and len(known) == len(self.rows) > 1
            and all(len(text) <= ID_MAX for text in known)
        ]
        for name in all_differ:
            is_whole = self.held[name].type != "float" or all(
                (read_number(text) or 0.0).is_integer() for text in self.known[name]
            )
            if IDENTITY.search(name) and is_whole:
                return name
        for name in all_differ if len(self.rows) >= ROWS_MIN else ():
            if self.held[name].type == "string" and are_ids(self.known[name]):
                example = next(iter(self.known[name]))
                self.notes.append(f"'{name}' is taken for the id: each row has another, such as '{example[:40]}'.")
                return name
        return None

    def _find_time(self, label: str | None, identity: str | None) -> str | None:
        """Return the column of the event time: one that is called so, or else dates in the order of the rows."""
        moments: dict[str, dict[str, float]] = {}
        for name, known in self.known.items():
            form = self.held[name].form
            if (
                name in (label, identity, self.named.key)
                or form in (None, "h:m")
                or sum(known.values()) < len(self.rows)
            ):
                continue
            read = make_reader(name, "time", self.missing, self.decimal, form)
            values = {text: float(value) for text in known if isinstance(value := read(text), float) and value >= 0}
            if len(values) == len(known):
                moments[name] = values
        called = next((name for name in moments if name.lower() in TIMES), None)
        if called is not None or len(self.rows) < ROWS_MIN:
            return called
        for name, values in moments.items():
            ordered = [[values[text_of(cell)] for cell in cells] for cells in self._by_file(name)]
            if len(values) > len(self.rows) / 10 and all(
                one <= other for file in ordered for one, other in pairwise(file)
            ):
                self.notes.append(f"'{name}' is taken for the event time: its dates stand in the order of the rows.")
                return name
        return None

    def _by_file(self, name: str) -> list[list[Cell]]:
        """Return the cells of a column, those of each file by themselves."""
        place = self.table.places[name]
        return [[row.cells[place] for row in rows] for _, rows in groupby(self.rows, key=attrgetter("file"))]

    def _counts(self, name: str) -> bool:
        """Return whether a column of numbers counts the rows."""
        if self.held[name].type != "float" or self.held[name].spoilt or len(self.rows) < ROWS_MIN:
            return False
        if sum(self.known[name].values()) < len(self.rows) or IDENTITY.search(name) or PERIOD.search(name):
            return False
        numbers = {text: read_number(text, self.decimal) or 0.0 for text in self.known[name]}
        return count_rows([[numbers[text_of(cell)] for cell in cells] for cells in self._by_file(name)])

    def _of_time(self, name: str) -> Seen:
        """Return what becomes of the event time, which was found and not named: its hour, weekday and month are features too, which a question may lack."""
        seen = self._see(name, None)
        assert seen.feature is not None  # a column of dates becomes one
        return seen._replace(becomes="event time, date", feature=msgspec.structs.replace(seen.feature, optional=True))

    def _see(self, name: str, role: str | None) -> Seen:
        column, known = self.held[name], self.known[name]
        count = sum(known.values())
        lacking = len(self.rows) - count
        if name in self.counters and role is None:
            self.notes.append(
                f"'{name}' counts the rows, and is left out. Is it their id? Then add --id {name!r}. Is it a feature? Then declare it."
            )
            role = "left out: a count"
        becomes, feature = (role, None) if role else self._decide(name, column, known, lacking)
        return Seen(
            name, column, len(known), lacking, len(self.rows), self._show(name, column, known), becomes, feature
        )

    def _decide(self, name: str, column: Column, known: dict[str, int], lacking: int) -> tuple[str, Feature | None]:
        """Decide what a column becomes that has no other role: a feature, or nothing."""
        if not known:
            return "left out: empty", None
        if (
            not self.has_records
            and IDENTITY.search(name)
            and len(known) > ENTITIES
            and column.type in ("string", "float")
        ):
            if len(known) < UNIQUE * sum(known.values()):
                self.notes.append(
                    f"'{name}' looks like the id of an entity, and is left out. Is it the key? Then add --key {name!r}."
                )
            return "left out: an id", None
        what, step = self._prepare(column, known)
        if what == "unique":
            return "left out: unique", None
        missing = "indicator" if lacking > (1 - KNOWN) * len(self.rows) else None
        type_ = "float" if column.type == "time" else column.type
        return what, Feature(type=type_, optional=lacking > 0, step=step, missing=missing)

    def _prepare(self, column: Column, known: dict[str, int]) -> tuple[str, Making | None]:
        """Decide what becomes of the cells of a feature: in a word, and as its step."""
        if column.type == "time":
            return self._prepare_dates(column, known)
        if column.type != "string":
            return ("a number" if column.type == "float" else "true or false"), None
        if _is_text(known):
            return "words", "text"
        count = sum(known.values())
        if not self.has_records and count >= ROWS_MIN and len(known) >= UNIQUE * count:
            return "unique", None
        if self.kind == "anomaly":
            return "how frequent", FREQUENCY
        is_large = len(known) > CATEGORIES or len(known) >= max(ROWS_MIN, UNIQUE * count)
        return ("hashed", HASHED) if is_large else ("a category", None)

    def _prepare_dates(self, column: Column, known: dict[str, int]) -> tuple[str, Making | None]:
        """Decide what becomes of dates or times. Of dates that differ in their year alone, hour, weekday and month say nothing."""
        if column.form == "h:m":
            return "an hour", BY_HOUR
        read = make_reader("", "time", self.missing, self.decimal, column.form)
        moments = (EPOCH + dt.timedelta(seconds=float(read(text) or 0.0)) for text in known)
        has_days = len({(one.month, one.day, one.hour) for one in moments}) > 1
        return ("hour, day, month", "date") if has_days else ("a number", None)

    def _show(self, name: str, column: Column, known: dict[str, int]) -> str:
        """Show the range of numbers and dates, or the most frequent string."""
        if not known:
            return ""
        if column.type == "string":
            return max(known, key=lambda text: known[text])
        if column.type == "bool":
            return ", ".join(sorted({text.lower() for text in known}))
        read = make_reader(name, column.type, self.missing, self.decimal, column.form)
        numbers = [float(read(text) or 0.0) for text in known if text not in column.spoilt]
        low, high = min(numbers), max(numbers)
        if column.type == "time" and column.form != "h:m":
            return "..".join((EPOCH + dt.timedelta(seconds=moment)).strftime("%Y-%m") for moment in (low, high))
        return f"{_figure(low)} to {_figure(high)}" if low < high else _figure(low)


def _is_text(known: dict[str, int]) -> bool:
    """Tell whether the strings of a column are texts, on average."""
    return sum(map(len, known)) > TEXT * len(known) and sum(text.count(" ") for text in known) >= BLANKS * len(known)


def _figure(value: float) -> str:
    """Write a number with four digits, or as a whole number if it is large."""
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e" in text and 1 <= abs(value) < 1e8 else text


def first_cell(seen: Look, name: str, table: Table) -> str:
    """Return the first known cell of a column, as an example."""
    missing = Missing(seen.columns.missing)
    texts = (text_of(row.cells[table.places[name]]) for row in seen.rows)
    return next((text for text in texts if not missing(text)), "")
