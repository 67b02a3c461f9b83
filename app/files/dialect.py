"""The dialect of a text table: which sign separates its cells, and whether a first line says so."""

import csv
import re
from typing import NamedTuple

DELIMITERS = ",;\t|:"
"""Signs that may separate cells, the likeliest first."""

BLANKS = " "
"""Stands for cells that are separated by any number of blanks."""

ROWS = 200
"""The rows by which a delimiter is judged."""

SEP = re.compile(r"""\A["']?sep=(.)["']?\s*?(\r\n|\r|\n)""")
"""The first line of a file for Excel, such as `sep=;`."""


class Dialect(NamedTuple):
    """The sign that separates cells, and the lines before the header."""

    delimiter: str
    skipped: int = 0


def find_dialect(head: str, *, cut: bool = False) -> Dialect:
    r"""Find the dialect from the beginning of a text; `cut` says that its last line is not whole.

    That delimiter is taken that stands in the header, and gives most rows as many cells as the header.

    Examples
    --------
    >>> find_dialect("town;price\nPorto;1,5\nParis;2,5\n").delimiter
    ';'
    >>> find_dialect("sep=|\na|b\n")
    Dialect(delimiter='|', skipped=1)
    >>> find_dialect("a  b   c\n1  2   3\n").delimiter == BLANKS
    True
    """
    if said := SEP.match(head):
        return Dialect(said[1], 1)
    scores = {delimiter: _score(head, delimiter, cut=cut) for delimiter in DELIMITERS}
    best = max(scores, key=lambda one: scores[one])  # the first of equals
    if scores[best][0] > 0:
        return Dialect(best)
    return Dialect(BLANKS if _score(head, BLANKS, cut=cut)[0] == 1 else ",")


def _score(head: str, delimiter: str, *, cut: bool) -> tuple[float, int]:
    """Return the share of the rows that have as many cells as the header, and how many these are."""
    lines = head.splitlines(keepends=True)
    if delimiter == BLANKS:
        lines = [line.replace("\t", " ").strip() for line in lines]
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
            if row:
                rows.append(row)
            if len(rows) > ROWS:
                break
    except csv.Error:
        return (0.0, 0)
    if cut and len(rows) <= ROWS and len(rows) > 1:
        rows.pop()
    if not rows or (width := len(rows[0])) < 2:
        return (0.0, 0)
    if len(rows) == 1:
        return (1.0 if delimiter != BLANKS else 0.0, width)
    same = sum(len(row) == width for row in rows[1:]) / (len(rows) - 1)
    longer = sum(len(row) == width + 1 for row in rows[1:]) / (len(rows) - 1)  # R names rows, and not their column
    return (max(same, longer), width)
