"""Copies the saved versions of a shard to the task's mirror, in the background: the fold never waits for it."""

import asyncio
import re
from collections.abc import Callable, Sequence

import structlog

from headrace.agents.background import Errands
from headrace.learning.errors import PackageError, VersionError
from headrace.learning.plain import plain_error
from headrace.learning.snapshot.header import HEADER_MAX, SUM
from headrace.learning.snapshot.package import Head, pack, peek
from headrace.learning.state import State
from headrace.learning.task import Task
from headrace.learning.versions import Version
from headrace.tables.mirror import Mirror
from headrace.tables.versions import ShardVersions

log = structlog.get_logger()

PUT_SECONDS = 300.0
"""How long one copy may take."""

PAUSE_SECONDS = 1.0
PAUSE_MAX_SECONDS = 60.0
"""How long to wait after a failure: twice as long after each further one, up to this."""

ID = re.compile(r"v\d+-\d+-\d+(-\d+)?")
"""The form of a version's id: whatever else a state may have, it is no name of a file."""


class ShardMirror:
    """Copies what the index of a shard has and the mirror has not, one version after the other, the oldest first.

    The index is looked at again and again, so a copy that failed is tried again for as long as the version is kept. One that the fold
    drops before the mirror has taken it is counted as missed.

    Parameters
    ----------
    task, partition
        Which shard.
    mirror
        Where the copies go.
    key
        The snapshot key, which signs them, or None.
    clock
        Seconds that never go back.

    Attributes
    ----------
    copied, missed
        Versions that this worker has copied, and those that were dropped before.
    waiting
        Versions that are still to be copied.
    error
        Why the last copy failed; None since one has succeeded.
    """

    def __init__(self, task: Task, partition: int, mirror: Mirror, key: bytes | None, clock: Callable[[], float]):
        self.task, self.partition, self.mirror, self.key, self.clock = task, partition, mirror, key, clock
        self.copied = self.missed = 0
        self.waiting: frozenset[str] = frozenset()
        self.error: str | None = None
        self._there: set[str] = set()
        self._next_at, self._pause = 0.0, PAUSE_SECONDS
        self.errands = Errands(
            f"mirror of shard {partition} of {task.name}",
            "a version was not copied to the mirror",
            self._note_failure,
            task=task.name,
            partition=partition,
        )

    def look(self, state: State, versions: ShardVersions) -> None:
        """Begin to copy what the mirror has not yet, unless that is under way or has failed a moment ago."""
        saved = {name: version for name, version in state.versions.saved.items() if ID.fullmatch(name)}
        self._there &= saved.keys()
        self.missed += len(self.waiting - self._there - saved.keys())
        self.waiting = frozenset(saved.keys() - self._there)
        if self.waiting and not self.errands.are_running and self.clock() >= self._next_at:
            lacking = [version for name, version in saved.items() if name in self.waiting]
            self.errands.start(self._copy(lacking, versions))

    def stop(self) -> None:
        """Give up the copy under way. The next owner begins anew."""
        self.errands.cancel()

    async def _copy(self, lacking: Sequence[Version], versions: ShardVersions) -> None:
        for version in lacking:
            if version.id not in self.waiting:  # it was dropped meanwhile
                continue
            name = f"{self.task.name}/{self.partition}/{version.id}.model"
            async with asyncio.timeout(PUT_SECONDS):
                if not self._is_same(await self.mirror.begin(name, HEADER_MAX + SUM), version):
                    encoding = await versions.read(version.digest)
                    if encoding is None:
                        what = f"the model of {version.id} is not in {self.task.name}.versions."
                        raise VersionError(what, "It is tried again.")
                    data = await asyncio.to_thread(pack, version, encoding, self.task, self.partition, self.key)
                    await self.mirror.put(name, data)
                    self.copied += 1
                    log.info("a version was copied to the mirror", key=name, bytes=len(data))
            self._there.add(version.id)
            self.waiting -= {version.id}
            self.error, self._pause = None, PAUSE_SECONDS

    def _is_same(self, begin: bytes | None, version: Version) -> bool:
        """Tell whether the mirror has a version: one of its id may be of a log that was deleted since, or be signed otherwise."""
        if begin is None:
            return False
        try:
            head: Head = peek(begin)
        except PackageError:
            return False
        return (head.digest, head.signed) == (version.digest, self.key is not None)

    def _note_failure(self, error: BaseException) -> None:
        self.error = plain_error(error)
        self._next_at = self.clock() + self._pause
        self._pause = min(2 * self._pause, PAUSE_MAX_SECONDS)
