"""Identifiers by their looks: cells that name a row, or count it, and say nothing of it."""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

UUID = re.compile(r"(?i)\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?")
HEX = re.compile(r"(?i)(?:0x)?[0-9a-f]{8,}")
COUNTED = re.compile(r"([A-Za-z]+[A-Za-z_./#:-]*)\d+")
"""A prefix and a number, such as `INV-1001`."""

SHAPED_MIN, DIGITS_MIN = 6, 3
"""The fewest characters, and digits, of a code whose shape shows that it is one, such as `7590-VHVEG`."""

YEARS = (1500, 2200)
"""Numbers that may be years."""


def are_ids(cells: Collection[str]) -> bool:
    """Return whether different strings look like identifiers: UUIDs, hexadecimal digits, a prefix and a number, or codes of one shape.

    Examples
    --------
    >>> are_ids(["INV-1001", "INV-1002"]), are_ids(["7590-VHVEG", "5575-GNVDE"]), are_ids(["3f2a9c41e0", "b81c0d5f77"])
    (True, True, True)
    >>> are_ids(["model 1", "model 2"]), are_ids(["ford pinto", "vw golf"])
    (False, False)
    """
    if not cells:
        return False
    if all(UUID.fullmatch(cell) for cell in cells):
        return True
    if all(HEX.fullmatch(cell) for cell in cells) and len(set(map(len, cells))) == 1:
        return True
    prefixes = {found[1] if (found := COUNTED.fullmatch(cell)) else None for cell in cells}
    if len(prefixes) == 1 and None not in prefixes:
        return True
    return len(set(map(_shape, cells))) == 1 and _is_code(next(iter(cells)))


def _shape(text: str) -> str:
    """Return a text with each letter as A and each digit as 0."""
    return re.sub(r"[^\W\d_]", "A", re.sub(r"\d", "0", text))


def _is_code(text: str) -> bool:
    digits = sum(one.isdigit() for one in text)
    return len(text) >= SHAPED_MIN and digits >= DIGITS_MIN and not re.search(r"\s", text)


def count_rows(files: Iterable[Sequence[float]]) -> bool:
    """Return whether whole numbers count the rows: each is one more than that of the row before, in each file. Years do not.

    Examples
    --------
    >>> count_rows([[7, 8, 9], [1, 2, 3]]), count_rows([[1, 2, 4]]), count_rows([[1999, 2000, 2001]])
    (True, False, False)
    """
    files = list(files)
    if all(YEARS[0] <= number <= YEARS[1] for numbers in files for number in numbers):
        return False
    return all(number.is_integer() for numbers in files for number in map(float, numbers)) and all(
        later - earlier == 1 for numbers in files for earlier, later in pairwise(numbers)
    )
