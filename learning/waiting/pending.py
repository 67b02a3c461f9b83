"""The entries of the join, which are kept outside the state because there may be millions."""

from bisect import bisect_left, insort
from typing import Annotated, NamedTuple, Protocol

import msgspec

STEP_MAX = 2**63 - 1


class PendingEntry(NamedTuple):
    """An entry of the join: the step that wrote it, the id of its record, and its content as bytes (see `join.EntryContent`)."""

    step: Annotated[int, msgspec.Meta(ge=0, le=STEP_MAX)]
    id: str
    content: bytes


class Pending(Protocol):
    """A store of entries. Each step writes at most one entry, and writes the same entry whenever it is folded again.

    A process that had folded further before it was stopped may have left entries of later steps; `Join` ignores them. An entry is
    never changed.
    """

    def put(self, entry: PendingEntry) -> None:
        """Add an entry."""
        ...

    def of(self, record_id: str) -> list[PendingEntry]:
        """Return the entries of an id, in the order of their steps."""
        ...

    def following(self, step: int) -> PendingEntry | None:
        """Return the first entry whose step is `step` or later; None if there is none."""
        ...


class InMemory:
    """A store of entries in memory, for a fold that runs in one go and for tests.

    Examples
    --------
    >>> pending = InMemory()
    >>> pending.put(PendingEntry(3, "a", b"..."))
    >>> pending.of("a") == [pending.following(0)], pending.following(4)
    (True, None)
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._entries: dict[int, PendingEntry] = {}
        self._by_id: dict[str, list[int]] = {}

    def put(self, entry: PendingEntry) -> None:
        """Add an entry."""
        if entry.step not in self._entries:
            insort(self._steps, entry.step)
            insort(self._by_id.setdefault(entry.id, []), entry.step)
        self._entries[entry.step] = entry

    def of(self, record_id: str) -> list[PendingEntry]:
        """Return the entries of an id, in the order of their steps."""
        return [self._entries[step] for step in self._by_id.get(record_id, ())]

    def following(self, step: int) -> PendingEntry | None:
        """Return the first entry whose step is `step` or later; None if there is none."""
        at = bisect_left(self._steps, step)
        return self._entries[self._steps[at]] if at < len(self._steps) else None
