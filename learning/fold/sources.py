"""The position up to which each source was folded, by which a record that comes a second time is recognised."""

from collections.abc import Iterable
from typing import Literal

from msgspec import UNSET, UnsetType

from headrace.learning.fold.parts import LearnerParts
from headrace.learning.turn import Turn

Position = tuple[str, tuple[int, int]]
"""A partition of a source as `<topic>/<partition>`, with an offset and a row."""

SOURCES_MAX = 10_000
"""The most partitions of sources whose last position the state keeps."""


def advance(folded: dict[str, tuple[int, int]], source: str) -> Literal["new", "known", "full"]:
    """Move the last folded position of a source to this record's, if the record is ahead of it.

    The ingest brings the records of a source in their order, and after a restart begins at or before the first one that is missing in the
    log. So a record that is not ahead of the last folded position is in the log already.

    Parameters
    ----------
    folded
        `<topic>/<partition>` of each source, with the last offset and row folded from it.
    source
        The source position of the record: `topic/partition/offset`, or with `/row`.

    Returns
    -------
    `new` to fold the record, `known` to skip it, `full` to refuse it because `SOURCES_MAX` other partitions are known already.

    Examples
    --------
    >>> folded = {}
    >>> [advance(folded, source) for source in ("clicks/0/7", "clicks/0/8/1", "clicks/0/8/0")]
    ['new', 'new', 'known']
    >>> folded
    {'clicks/0': (8, 1)}
    """
    place, at = _read(source)
    if at <= folded.get(place, (-1, 0)):
        return "known"
    if len(folded) >= SOURCES_MAX and place not in folded:
        return "full"
    folded[place] = at
    return "new"


def find_new(folded: dict[str, tuple[int, int]], sources: Iterable[str | UnsetType]) -> list[Position | None]:
    """Read the source positions of records that follow each other, up to the first that is not `new`; nothing changes. None: a record has none.

    Examples
    --------
    >>> find_new({"clicks/0": (7, 0)}, ["clicks/0/8", "clicks/1/0", "clicks/0/8"])
    [('clicks/0', (8, 0)), ('clicks/1', (0, 0))]
    """
    found: list[Position | None] = []
    ahead: dict[str, tuple[int, int]] = {}
    room = SOURCES_MAX - len(folded)
    for source in sources:
        if source is UNSET:
            found.append(None)
            continue
        place, at = _read(source)
        last = ahead.get(place) or folded.get(place)
        if last is None:
            if room <= 0:
                break
            room -= 1
        elif at <= last:
            break
        ahead[place] = at
        found.append((place, at))
    return found


def _read(source: str) -> Position:
    topic, partition, offset, *row = source.split("/")
    return f"{topic}/{partition}", (int(offset), int(row[0]) if row else 0)


def is_new(parts: LearnerParts, turn: Turn, source: str) -> bool:
    """Return whether a record with this source position must be folded; otherwise count it as skipped, or refuse it."""
    verdict = advance(parts.state.sources, source)
    if verdict == "known":
        parts.state.skipped += 1
    elif verdict == "full":
        turn.refuse("source", f"records came from {SOURCES_MAX} partitions of sources already, and not from this.")
    return verdict == "new"
