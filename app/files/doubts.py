"""Doubts about a table: what a person would look at before a model learns from it."""

import re
from collections import Counter
from collections.abc import Iterator

from headrace.app.files.cells import Missing, make_reader, text_of
from headrace.app.files.dates import looks_like_date
from headrace.app.files.labels import ROWS_MIN, all_differ, normal
from headrace.app.files.leakage import predicts_alone
from headrace.app.files.look import Look
from headrace.app.files.numbers import read_number
from headrace.app.files.table import Table
from headrace.learning.records.schema import LARGEST
from headrace.learning.task import Value

RARE = 0.05
"""A class with a smaller share is rare."""

NUMBERS_MAX = 20
"""So many numbers may be classes; more are doubted."""

LINES = 3
"""The lines that are named of a spoilt column."""

UNITED = re.compile(r"(?P<number>[+\u2212-]?\d[\d.,]*)\s*(?P<unit>[^\W\d_][^\d\s]*)")
"""A number with its unit."""

MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
SPELT = re.compile(
    rf"(?i)(?:[a-z]+,?\s)?(?:\d{{1,2}}[\s-]{MONTH},?[\s-]|{MONTH}[\s-]\d{{1,2}},?\s)\d{{2,4}}\b.*|\d{{1,2}}:\d\d(?::\d\d)?\s?[ap]\.?m\.?"
)
"""Dates whose month is a word, and times of twelve hours, which are not read."""


def find_doubts(seen: Look, table: Table) -> Iterator[str]:
    """Yield what is doubtful, each as one or two sentences."""
    if seen.kind != "anomaly":  # whose labels are not learned, and may be missing
        yield from _of_label(seen)
    for name, one in seen.seen.items():
        if one.column.spoilt and (one.feature or name == seen.columns.label):
            place, spoilt = table.places[name], set(one.column.spoilt)
            rows = [row for row in seen.rows if text_of(row.cells[place]) in spoilt]
            where = ", ".join(f"{row.line}{f' of {row.file}' if row.file else ''}" for row in rows[:LINES]) + (
                f" and {len(rows) - LINES:,} more" if len(rows) > LINES else ""
            )
            cells = ", ".join(f"'{text[:20]}'" for text in one.column.spoilt[:LINES])
            yield (
                f"'{name}' holds numbers, but {cells} in line {where}. send stops there: mend the cells, or add them to missing."
            )
        if one.column.type == "float" and (one.feature or (name == seen.columns.label and seen.kind == "regression")):
            yield from _of_large(seen, table, name)
        if one.column.is_open:
            yield f"'{name}' may hold dates, but day and month cannot be told apart. Say which: dates = {{ {name!r} = \"d/m/y\" }}."
        if one.feature and one.distinct == 1 and not one.missing and one.rows >= ROWS_MIN:
            yield f"'{name}' is always {one.shown}, so it says nothing."
        if one.column.type == "string" and name not in (seen.columns.label, seen.columns.id, seen.columns.key):
            yield from _of_strings(seen, table, name)
    if seen.kind != "anomaly":
        yield from _of_leakage(seen, table)


def _of_large(seen: Look, table: Table, name: str) -> Iterator[str]:
    """Yield that numbers of a column are larger than any that a task takes."""
    place, decimal = table.places[name], seen.columns.decimal or "."
    large = [row for row in seen.rows if abs(read_number(text_of(row.cells[place]), decimal) or 0.0) > LARGEST]
    if large:
        where = f"line {large[0].line}{f' of {large[0].file}' if large[0].file else ''}"
        much = "A cell" if len(large) == 1 else f"{len(large):,} cells"
        yield f"{much} of '{name}', the first in {where}, cannot be sent: numbers go to 2^64, which is 1.8e19. Is it a code? Then put a letter before it."


def _of_strings(seen: Look, table: Table, name: str) -> Iterator[str]:
    """Yield that most cells of a column of strings are numbers or dates, as the rest may be mistakes."""
    place, missing = table.places[name], Missing(seen.columns.missing)
    known = missing.known(row.cells[place] for row in seen.rows)
    decimal, count = seen.columns.decimal or ".", sum(known.values())
    looks = {
        "numbers": lambda text: read_number(text, decimal) is not None,
        "dates": looks_like_date,
    }
    for noun, is_one in looks.items():
        others = [text for text in known if not is_one(text)]
        if others and count >= ROWS_MIN and 2 * sum(known[text] for text in others) <= count:
            shown = ", ".join(f"'{text[:20]}'" for text in others[:LINES])
            yield f"Most cells of '{name}' are {noun}, but {shown} are none, so all are taken for strings. Mend them, or add them to missing."
            return
    if count < ROWS_MIN:
        return
    units: Counter[str] = Counter()
    for text, times in known.items():
        if (found := UNITED.fullmatch(text)) and read_number(found["number"], decimal) is not None:
            units[found["unit"]] += times
    unit, times = units.most_common(1)[0] if units else ("", 0)
    if 2 * times >= count:
        example = next(text for text in known if text.endswith(unit))
        yield f"'{name}' holds numbers with a unit, such as '{example[:20]}', which are taken for strings. Take '{unit[:20]}' out of the cells."
    dates = [text for text in known if SPELT.fullmatch(text)]
    if 2 * sum(known[text] for text in dates) >= count:
        yield f"'{name}' holds dates or times, such as '{dates[0][:30]}', which are taken for strings. Write them as 2026-01-31 or 21:30."


def _of_label(seen: Look) -> Iterator[str]:
    name, counts = seen.columns.label or "label", seen.label
    total = sum(counts.values())
    if lacking := len(seen.rows) - total:
        yield f"{lacking:,} rows have no label. send stops at the first: --skip-invalid leaves them out."
    if len({normal(label) for label in counts}) == 1:  # also where it is written in several ways
        yield f"The label is always '{next(iter(counts))}': there is nothing to learn."
        return
    if seen.kind == "regression":
        words = [label for label in counts if read_number(label, seen.columns.decimal or ".") is None]
        if words:
            yield f"{len(words):,} labels are no numbers, such as '{words[0][:20]}', and a regression takes no others."
    if seen.kind == "regression" or not counts:
        return
    are_numbers = all(read_number(label, seen.columns.decimal or ".") is not None for label in counts)
    if all_differ(len(counts), total):
        other = ", or is it a regression (--kind regression)" if are_numbers else ", or a text"
        yield f"The label has {len(counts):,} values in {total:,} rows: is '{name}' an id{other}?"
        return
    if are_numbers and len(counts) > NUMBERS_MAX:
        yield f"The label has {len(counts)} different numbers, which become classes. Are they amounts? Then add --kind regression."
    rarest, most = min(counts, key=lambda one: counts[one]), max(counts, key=lambda one: counts[one])
    if seen.kind == "binary" and total >= ROWS_MIN and counts[rarest] < RARE * total:
        share = 100 * counts[rarest] / total
        yield f"Only {share:.2g} % of the labels are '{rarest}'. Judge by f1 or log loss, not by accuracy; see threshold."
    elif seen.kind == "multiclass" and total >= ROWS_MIN and counts[most] > (1 - RARE) * total:
        yield f"{100 * counts[most] / total:.3g} % of the labels are '{most}'. Judge by macro_f1, not by accuracy."
    if seen.kind == "multiclass" and len(counts) == 2:
        yield f"The label has two values. --kind binary gives one probability, that of '{rarest}'."


def _of_leakage(seen: Look, table: Table) -> Iterator[str]:
    columns = seen.columns
    missing = Missing(columns.missing)
    decimal = columns.decimal or "."
    place = table.places[columns.label or "label"]
    rows = [row for row in seen.rows if text_of(row.cells[place]) in seen.label]
    labels: list[Value] = [text_of(row.cells[place]) for row in rows]
    if seen.kind == "regression":
        numbers = [read_number(str(label), decimal) for label in labels]
        rows = [row for row, number in zip(rows, numbers, strict=True) if number is not None]
        labels = [number for number in numbers if number is not None]
    for name, one in seen.seen.items():
        if one.feature is None:
            continue
        read = make_reader(name, one.column.type, missing, decimal, one.column.form)
        at, spoilt = table.places[name], set(one.column.spoilt)
        values = [None if (text := text_of(row.cells[at])) in spoilt else read(text) for row in rows]
        if predicts_alone(values, labels, seen.kind):
            yield f"'{name}' predicts the label alone. Was it written down after the label? Then take it out of the features."
