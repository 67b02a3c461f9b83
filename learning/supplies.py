"""Supplies: what a fold may need beside its messages. All of it follows from the log, so that every fold is given the same."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from headrace.learning.promises import Promises
from headrace.learning.task import Task


class Artefacts(Protocol):
    """Models as bytes, by their digests. A worker keeps them in a table, a fold without Kafka in memory."""

    def get(self, digest: str, /) -> bytes | None:
        """Return an encoding that the fold saved, by its SHA-256 as hex; None if there is none."""
        ...

    def get_made(self, name: str, digest: str, /) -> bytes | None:
        """Return an encoding that was made beside the fold, by a job or elsewhere, for the `install` of an id; None if there is none.

        It counts for that record alone: else bytes that come later would have a replay install what the shard has refused.
        """
        ...

    def put(self, digest: str, data: bytes, /, *, position: int) -> None:
        """Keep an encoding that the fold saved at this position. The same one may come again when the log is folded again."""
        ...


class InMemory:
    """Artefacts in memory.

    Parameters
    ----------
    made
        Those that were made beside the fold, by the id of their `install` and their digest.

    Examples
    --------
    >>> artefacts = InMemory({("j1", "6b86b273"): b"another"})
    >>> artefacts.put("5feceb66", b"model", position=7)
    >>> artefacts.get("5feceb66"), artefacts.get_made("j1", "5feceb66"), artefacts.get_made("j1", "6b86b273")
    (b'model', None, b'another')
    """

    def __init__(self, made: Mapping[tuple[str, str], bytes] | None = None):
        self.saved: dict[str, bytes] = {}
        self.made = dict(made or {})

    def get(self, digest: str, /) -> bytes | None:
        """Return an encoding that the fold saved."""
        return self.saved.get(digest)

    def get_made(self, name: str, digest: str, /) -> bytes | None:
        """Return an encoding that was made beside the fold."""
        return self.made.get((name, digest))

    def put(self, digest: str, data: bytes, /, *, position: int) -> None:  # noqa: ARG002 nothing is removed by it here
        """Keep an encoding."""
        self.saved[digest] = data


class Supplies(NamedTuple):
    """What a fold may need beside its messages.

    Parameters
    ----------
    artefacts
        Has the models of versions and of jobs.
    promises
        Knows how the promises that the fold may meet have ended, further on in the log.
    modules
        Modules of the user's own whose functions may make a model: those that the settings name, and no others, whatever the log says.
    """

    artefacts: Artefacts
    promises: Promises
    modules: Collection[str]


def supplies_of(task: Task) -> Supplies:
    """Give supplies for a fold in memory: no artefacts yet, and no promise has ended."""
    return Supplies(InMemory(), Promises(task), task.modules)
