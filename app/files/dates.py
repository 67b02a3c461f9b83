"""Dates and times in columns: which form they are written in, and the seconds that they become."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from headrace.learning.task.columns import DateForm

ISO = re.compile(
    r"\d{4}-\d\d|\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?)?"
)
DAYS = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d\d)(?:[,T]?\s*(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s*([AaPp][Mm])?)?"
)
CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,]\d+)?)?")
NAMED = re.compile(r"(?i)(time|date|epoch|(^|[_\s-])ts$|(^|_)at$)")
"""Names of columns whose numbers may be times."""

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SECONDS = (1e8, 4.2e9)
"""Numbers that are taken for seconds since the epoch: 1973 to 2103; times 1,000 for milliseconds."""


EXAMPLES: dict[DateForm, str] = {
    "iso": "2026-01-31",
    "d/m/y": "31/01/2026",
    "m/d/y": "01/31/2026",
    "h:m": "09:30",
    "seconds": "1767225600",
    "milliseconds": "1767225600000",
}
"""How a date of each form is written."""


def find_form(name: str, cells: Iterable[str]) -> DateForm | None:
    """Find the form in which the cells of a column are dates or times; None if they are not all dates, or if day and month cannot be told apart.

    Examples
    --------
    >>> find_form("joined", ["2026-01-31", "2026-02-01T12:00:00Z"]), find_form("joined", ["31/01/2026", "01/02/2026"])
    ('iso', 'd/m/y')
    >>> find_form("joined", ["01/02/2026"]), find_form("joined", ["01.02.2026"]), find_form("time", ["1767225600"])
    (None, 'd/m/y', 'seconds')
    """
    known = list(cells)
    first = known[0] if known else ""
    fits: list[DateForm]
    if ISO.fullmatch(first):
        fits = ["iso"]
    elif CLOCK.fullmatch(first):
        fits = ["h:m"]
    elif DAYS.fullmatch(first):
        fits = ["d/m/y", "m/d/y"]
    else:
        return _find_epoch(known) if known and NAMED.search(name) else None
    fits = [form for form in fits if all(_is(one, form) for one in known)]
    return fits[0] if len(fits) == 1 or (fits and "." in first) else None


def _find_epoch(known: list[str]) -> DateForm | None:
    """Return the unit of numbers that look like times since the epoch."""
    try:
        low, high = min(map(float, known)), max(map(float, known))
    except ValueError:
        return None
    if SECONDS[0] <= low and high <= SECONDS[1]:
        return "seconds"
    return "milliseconds" if SECONDS[0] <= low / 1000 and high / 1000 <= SECONDS[1] else None


def looks_like_date(text: str) -> bool:
    """Return whether a cell is written like a date or a time, of whatever form.

    Examples
    --------
    >>> looks_like_date("1/2/2026"), looks_like_date("soon")
    (True, False)
    """
    return any(form.fullmatch(text) for form in (ISO, DAYS, CLOCK))


def is_ambiguous(cells: Iterable[str]) -> bool:
    """Return whether all cells are dates whose day and month cannot be told apart."""
    known = list(cells)
    return bool(known) and all(_is(one, "d/m/y") and _is(one, "m/d/y") for one in known) and "." not in known[0]


def date_reader(form: DateForm) -> Callable[[str], float | None]:
    """Return the function that reads a date of this form as seconds since the epoch (UTC, unless it says another zone); None if it is none.

    Examples
    --------
    >>> date_reader("iso")("2026-01-01"), date_reader("d/m/y")("1.1.2026 00:01"), date_reader("h:m")("01:30")
    (1767225600.0, 1767225660.0, 5400.0)
    """
    return READERS[form]


def _is(text: str, form: DateForm) -> bool:
    return READERS[form](text) is not None


@lru_cache(maxsize=1 << 14)
def _read_iso(text: str) -> float | None:
    if not ISO.fullmatch(text):
        return None
    text = f"{text}-01" if len(text) == 7 else text  # a month
    try:
        moment = dt.datetime.fromisoformat(
            text.replace("/", "-").replace("UTC", "Z").replace(" Z", "Z").replace(" +", "+")
        )
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _read_days(text: str, day: int) -> float | None:
    found = DAYS.fullmatch(text)
    if found is None:
        return None
    parts = found[1], found[3]
    year = int(found[4])
    if len(found[4]) == 2:
        year += 2000 if year < 69 else 1900  # as POSIX reads it
    hour = int(found[5] or 0)
    if found[8]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[8].lower() == "pm" else 0)
    try:
        moment = dt.datetime(
            year, int(parts[1 - day]), int(parts[day]), hour, int(found[6] or 0), int(found[7] or 0), tzinfo=dt.UTC
        )
    except ValueError:
        return None
    return moment.timestamp()


@lru_cache(maxsize=1 << 14)
def _read_day_first(text: str) -> float | None:
    return _read_days(text, 0)


@lru_cache(maxsize=1 << 14)
def _read_month_first(text: str) -> float | None:
    return _read_days(text, 1)


def _read_clock(text: str) -> float | None:
    found = CLOCK.fullmatch(text)
    return None if found is None else int(found[1]) * 3600.0 + int(found[2]) * 60 + int(found[3] or 0)


def _read_seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value - value == 0.0 else None


def _read_milliseconds(text: str) -> float | None:
    return None if (value := _read_seconds(text)) is None else value / 1000


READERS: dict[DateForm, Callable[[str], float | None]] = {
    "iso": _read_iso,
    "d/m/y": _read_day_first,
    "m/d/y": _read_month_first,
    "h:m": _read_clock,
    "seconds": _read_seconds,
    "milliseconds": _read_milliseconds,
}
