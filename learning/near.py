"""The name that somebody may have meant, who wrote one that there is not."""

import difflib
from collections.abc import Iterable

NEAR = 0.6
"""How alike two names must be, from 0 to 1. The words of refused control records are part of the state, and depend on it: it cannot change."""

NEAR_FEATURE = 0.7
"""The same for names that senders choose, most of which resemble each other more than the words of a catalogue."""


def nearest(name: str, known: Iterable[str], near: float = NEAR) -> str:
    """Return a question after the nearest known name; an empty string if none is near.

    Examples
    --------
    >>> nearest("secs", ["seconds", "pages"]), nearest("x", ["seconds"])
    ("Did you mean 'seconds'?", '')
    """
    found = difflib.get_close_matches(name, list(known), 1, near)
    return f"Did you mean '{found[0]}'?" if found else ""
