"""What waits: entries of the join, kept outside the state because there may be millions."""

from bisect import bisect_left, insort
from typing import Annotated, NamedTuple, Protocol

import msgspec

STEP_MAX = 2**63 - 1


class Waiting(NamedTuple):
    """An entry: the step of the fold that wrote it, the id it waits under, and its bytes."""

    step: Annotated[int, msgspec.Meta(ge=0, le=STEP_MAX)]
    id: str
    entry: bytes


class Pending(Protocol):
    """Where entries are kept. A step writes one entry at most, and the same one whenever it is folded again.

    There may be entries of steps that are still to come, left by a process that had folded further and was stopped: the reader
    passes them by (`learning/waiting/join.py`). Kept entries are never changed.
    """

    def put(self, waiting: Waiting) -> None:
        """Keep an entry."""
        ...

    def of(self, name: str) -> list[Waiting]:
        """The entries under an id, in the order of their steps."""
        ...

    def following(self, step: int) -> Waiting | None:
        """The first entry whose step is not before this one."""
        ...


class InMemory:
    """Entries in a dict: for a fold that is done in one go, and for tests.

    Examples
    --------
    >>> pending = InMemory()
    >>> pending.put(Waiting(3, "a", b"..."))
    >>> pending.of("a") == [pending.following(0)], pending.following(4)
    (True, None)
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._entries: dict[int, Waiting] = {}
        self._under: dict[str, list[int]] = {}

    def put(self, waiting: Waiting) -> None:
        """Keep an entry."""
        if waiting.step not in self._entries:
            insort(self._steps, waiting.step)
            insort(self._under.setdefault(waiting.id, []), waiting.step)
        self._entries[waiting.step] = waiting

    def of(self, name: str) -> list[Waiting]:
        """The entries under an id, in the order of their steps."""
        return [self._entries[step] for step in self._under.get(name, ())]

    def following(self, step: int) -> Waiting | None:
        """The first entry whose step is not before this one."""
        at = bisect_left(self._steps, step)
        return self._entries[self._steps[at]] if at < len(self._steps) else None
