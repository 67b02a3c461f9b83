"""Durations as people write them, such as `7d`."""

import re

SECONDS_MAX = 10_000_000_000.0
"""The longest duration: three centuries."""

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(text: str | float) -> float:
    """Convert a duration to seconds.

    Parameters
    ----------
    text
        A number with a unit (`ms`, `s`, `m`, `h`, `d` or `w`), or a number of seconds; from 0 to `SECONDS_MAX`.

    Raises
    ------
    ValueError
        The text is no duration.

    Examples
    --------
    >>> seconds("7d"), seconds("250ms"), seconds(1.5)
    (604800.0, 0.25, 1.5)
    >>> seconds("soon")
    Traceback (most recent call last):
    ...
    ValueError: 'soon' is no duration: write a number and one of ms, s, m, h, d, w
    """
    if not isinstance(text, str):
        return _bounded(float(text), text)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])", text.strip())
    if match is None:
        raise ValueError(f"'{text[:40]}' is no duration: write a number and one of {', '.join(SECONDS)}")
    return _bounded(float(match[1]) * SECONDS[match[2]], text)


def shorten(duration: float) -> str:
    """Write a number of seconds as a duration, in the largest unit, up to days, of which it is a whole number.

    Examples
    --------
    >>> shorten(604_800.0), shorten(90.0), shorten(0.25), shorten(7_200.0)
    ('7d', '90s', '250ms', '2h')
    """
    for unit in ("d", "h", "m", "s", "ms"):
        count = round(duration / (size := SECONDS[unit]))
        if count and count * size == duration:
            return f"{count}{unit}"
    return f"{duration:g}s"


def _bounded(value: float, text: str | float) -> float:
    if not 0 <= value <= SECONDS_MAX:
        raise ValueError(f"{text} is no duration: it must be from 0 to {SECONDS_MAX:,.0f} s")
    return value
