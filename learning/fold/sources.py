"""How far each source has been folded: a record that comes from there a second time is known by that."""

from typing import Literal

from headrace.learning.fold.parts import LearnerParts
from headrace.learning.turn import Turn

SOURCES_MAX = 10_000
"""Partitions of sources whose last position the state keeps."""


def advance(folded: dict[str, tuple[int, int]], source: str) -> Literal["new", "known", "full"]:
    """Note that a record of this source position is folded, if it is ahead of the last one folded from there.

    Whoever brings records from a source brings them in its order, beginning at one that is not in the log yet or before it. So
    what is not ahead of the last one is in the log already.

    Parameters
    ----------
    folded
        A source's topic and partition to the last offset and row folded from there.
    source
        `topic/partition/offset`, or with `/row`.

    Returns
    -------
    `new` to fold the record, `known` to skip it, `full` to refuse it: there are `SOURCES_MAX` other partitions already.

    Examples
    --------
    >>> folded = {}
    >>> [advance(folded, source) for source in ("clicks/0/7", "clicks/0/8/1", "clicks/0/8/0")]
    ['new', 'new', 'known']
    >>> folded
    {'clicks/0': (8, 1)}
    """
    topic, partition, offset, *row = source.split("/")
    place, at = f"{topic}/{partition}", (int(offset), int(row[0]) if row else 0)
    if at <= folded.get(place, (-1, 0)):
        return "known"
    if len(folded) >= SOURCES_MAX and place not in folded:
        return "full"
    folded[place] = at
    return "new"


def is_new(parts: LearnerParts, turn: Turn, source: str) -> bool:
    """Whether a record of this source position is to be folded; if not, it is counted as skipped, or refused."""
    found = advance(parts.state.sources, source)
    if found == "known":
        parts.state.skipped += 1
    elif found == "full":
        turn.refuse("source", f"records came from {SOURCES_MAX} partitions of sources already, and not from this.")
    return found == "new"
