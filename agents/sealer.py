"""The sealer: makes snapshots and digests of one shard's state, in the event loop if that is quick, otherwise in a thread."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple, TypeVar

from headrace.agents.budget import Budget
from headrace.agents.garbage import collector_pause
from headrace.learning.errors import SnapshotError
from headrace.learning.snapshot import digest, peek, seal
from headrace.learning.state import State
from headrace.learning.task import Task

Result = TypeVar("Result")

INLINE_SECONDS = 0.005
"""A state that was sealed faster than this is sealed in the event loop the next time, too."""

INLINE_BYTES = 256 << 10
"""A state of more bytes than this is sealed in a thread the first time, when its sealing time is not known yet."""

DIGEST_SECONDS = 2.0
"""How long a status may wait for the digest of a large state; without it the digest is null."""

LARGE_STATE = 64 << 20
"""Bytes of a state at which an alert is due, and again each time the state has doubled: sealing takes seconds, recovery longer."""


class Digests(NamedTuple):
    """The digest of a state, and of the model of each arm, at a position."""

    position: int
    state: str
    arms: dict[str, str]


class Sealer:
    """Seals the state of a shard without blocking the event loop for long. The caller keeps the state from changing meanwhile.

    Parameters
    ----------
    budget
        Charged with the time that sealing takes.

    Attributes
    ----------
    seconds, size
        Seconds that the last snapshot took to make, and its bytes before compression.
    """

    def __init__(self, budget: Budget):
        self.budget = budget
        self.seconds = 0.0
        self.size = 0
        self._large = LARGE_STATE
        self._digests: Digests | None = None

    @property
    def is_quick(self) -> bool:
        """Say whether work on the whole state is short enough for the event loop."""
        return self.seconds < INLINE_SECONDS and (self.seconds > 0 or self.size < INLINE_BYTES)

    async def seal(self, state: State, task: Task, partition: int, *, writer: str, key: bytes | None) -> bytes:
        """Seal a state as a snapshot. Raises SnapshotError as `learning.snapshot.seal` does."""
        started = self.budget.clock()
        try:
            work = partial(seal, state, task, partition, writer=writer, snapshot_key=key)
            sealed = await self._run(partial(self.budget.charge, work))
        finally:
            self.seconds = self.budget.clock() - started
        self.size = peek(sealed).size
        return sealed

    async def digests(self, state: State) -> Digests:
        """Return the digests of a state and of its arms."""
        return await self._run(partial(digests, state))

    async def digests_in_time(self, state: State, lock: asyncio.Lock) -> Digests | None:
        """Return the digests of a state and of its arms; None if that takes too long, or if the state is too large to be saved.

        The lock is held during work on a large state, so that the state does not change.
        """
        if self._digests is None or self._digests.position != state.position:
            try:
                async with asyncio.timeout(DIGEST_SECONDS), nullcontext() if self.is_quick else lock:
                    self._digests = await self.digests(state)
            except (TimeoutError, SnapshotError):
                return None
        return self._digests

    def find_growth(self) -> str | None:
        """Return the detail of an alert if the state has become large, the first time and each time that it has doubled since."""
        if self.size < self._large:
            return None
        self._large = 2 * self.size
        return f"the state has {self.size >> 20} MiB; sealing it took {self.seconds:.1f} s."

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self.is_quick:
            return work()
        return await asyncio.to_thread(collector_pause.run, work)


def digests(state: State) -> Digests:
    """Compute the digests of a state and of its arms. SnapshotError if it is larger than what may be saved."""
    return Digests(state.position, digest(state), {name: arm.digest for name, arm in state.arms.items()})
