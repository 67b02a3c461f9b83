"""Durations as people write them, such as `7d`."""

import math
import re

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


def seconds(text: str | float) -> float:
    """Convert a duration to seconds.

    Parameters
    ----------
    text
        A number with a unit (`ms`, `s`, `m`, `h`, `d` or `w`), or a number of seconds; finite, 0 or more.

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
        if not 0 <= text < math.inf:
            raise ValueError(f"{text} is no duration: it must be finite, and 0 or more")
        return float(text)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])", text.strip())
    if match is None:
        raise ValueError(f"'{text[:40]}' is no duration: write a number and one of {', '.join(SECONDS)}")
    return float(match[1]) * SECONDS[match[2]]
