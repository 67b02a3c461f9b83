"""Numbers as people write them: decimal point or comma, thousands separators, currency signs, percent."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

Decimal = Literal[".", ","]

WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
PADDED = re.compile(r"[+-]?0\d")
"""Digits with a leading zero are codes and not numbers: a postcode 01234 would lose its zero."""

SIGNS = "€$£¥₹₽₩₺₪₴"
CODES = "EUR|USD|GBP|CHF|JPY|CNY|INR|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|R\\$|kr|zł"
DRESSED = re.compile(rf"(?P<sign>[+\u2212-]?)\s*(?:[{SIGNS}]|(?:{CODES})\s?)?\s*(?P<inner>[+\u2212-]?)(?P<body>[\d.,'\u2019\s]*\d[.,]?(?:[eE][+-]?\d+)?)"
                     rf"\s*(?:[{SIGNS}%]|{CODES})?")  # fmt: skip
"""A number with what may stand around it."""
NEGATIVE = re.compile(rf"[{SIGNS}]?\s?\(\s*([^-+\u2212()]+)\)")
"""A number below zero as accountants write it."""

PLAIN: dict[str, re.Pattern[str]] = {
    ".": re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"),
    ",": re.compile(r"(?:\d+,?\d*|,\d+)(?:[eE][+-]?\d+)?"),
}
GROUPED: dict[str, re.Pattern[str]] = {
    ".": re.compile(r"[1-9]\d{0,2}([,'\u2019\s])\d{3}(?:\1\d{3})*(?:\.\d*)?"),
    ",": re.compile(r"[1-9]\d{0,2}([.'\u2019\s])\d{3}(?:\1\d{3})*(?:,\d*)?"),
}
"""Digits in groups of three: by the decimal sign that may follow them."""

NEARLY = 0.95
"""A column is one of numbers if so many of its cells are."""


def read_number(text: str, decimal: Decimal = ".") -> float | None:
    """Read a number; None if the text is none. A percentage is the number before its sign, and brackets are a minus.

    Examples
    --------
    >>> read_number("$1,234.50"), read_number("1.234,50 €", ","), read_number("12 %"), read_number("-3e2")
    (1234.5, 1234.5, 12.0, -300.0)
    >>> read_number("$(144.48)"), read_number("(1.234 €)", ","), read_number("(-1)")
    (-144.48, -1234.0, None)
    >>> read_number("01234"), read_number("1,5"), read_number("nan")
    (None, None, None)
    """
    if bracketed := NEGATIVE.fullmatch(text):
        inner = read_number(bracketed[1].strip(), decimal)
        return None if inner is None else 0.0 - inner
    found = DRESSED.fullmatch(text)
    if found is None or (found["sign"] and found["inner"]):
        return None
    body = found["body"].strip()
    if PADDED.match(body):
        return None
    if not PLAIN[decimal].fullmatch(body):
        if not GROUPED[decimal].fullmatch(body):
            return None
        body = re.sub(r"[.'\u2019\s]" if decimal == "," else r"[,'\u2019\s]", "", body)
    value = float(body.replace(",", ".") if decimal == "," else body)
    if value == float("inf"):
        return None  # more than a number can be
    return -value if (found["sign"] or found["inner"]) in ("-", "\u2212") else value


def number_reader(decimal: Decimal) -> Callable[[str], float | None]:
    """Return the function that reads cells of numbers with this decimal sign; the plain ones fast."""
    if decimal == ",":
        return lambda text: read_number(text, ",")

    def read(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return read_number(text)
        # What Python takes and people do not write: nan, inf, 1_000, digits of other scripts. And codes with a leading zero.
        if value - value != 0.0 or text[0] in "0+-" or not text.isascii() or "_" in text:
            return read_number(text)
        return value

    return read


def find_decimal(columns: Iterable[Sequence[str]], delimiter: str = "") -> tuple[Decimal, bool]:
    """Find the decimal sign of a table: the one by which more columns are numbers. The second value says whether that was a guess.

    Parameters
    ----------
    columns
        The distinct cells of each column, without those that are missing.
    delimiter
        The sign that separates cells. Where all else is equal, a semicolon is for a decimal comma: it is there because the comma is taken.

    Examples
    --------
    >>> find_decimal([["1,5", "2"], ["a", "b"]]), find_decimal([["1,234", "12"]]), find_decimal([["1.234"]], ";")
    ((',', False), ('.', True), (',', True))
    """
    votes = {".": 0, ",": 0}
    is_open = False
    for cells in columns:
        if not cells:
            continue
        fits = [_is_numeric(cells, decimal) for decimal in (".", ",")]
        if fits[0] != fits[1]:
            votes["." if fits[0] else ","] += 1
        elif fits[0] and any("," in cell or "." in cell for cell in cells):
            is_open = True
    if votes["."] != votes[","]:
        return ("," if votes[","] > votes["."] else "."), False
    return ("," if is_open and delimiter == ";" else "."), is_open


def _is_numeric(cells: Sequence[str], decimal: Decimal) -> bool:
    bad, allowed = 0, (1 - NEARLY) * len(cells)
    for cell in cells:
        if read_number(cell, decimal) is None:
            bad += 1
            if bad > allowed:
                return False
    return True
