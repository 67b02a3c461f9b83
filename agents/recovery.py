"""Recovery: the states that a shard may go on from, the furthest first."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import NamedTuple

import structlog

from agents.around import Around
from agents.budget import Budget
from agents.garbage import aside
from learning.errors import DamagedError
from learning.learner import State
from learning.state import peek, unseal
from tables.snapshots import Found

log = structlog.get_logger()


LARGE_BYTES = 64 << 10
"""Bytes of a snapshot from which on it is read without collections of garbage: its objects would be looked through again and again."""


class Recovered(NamedTuple):
    """A state from a snapshot, its digest and its size in bytes, and the place of the snapshot among the keys of the table."""

    state: State
    digest: str
    size: int
    place: str


async def recover(
    around: Around, partition: int, beyond: int = -1, budget: Budget | None = None
) -> AsyncIterator[Recovered]:
    """The states of a shard's snapshots, the furthest first. A damaged or unauthentic snapshot is passed by, with a warning.

    Parameters
    ----------
    around
        Has the snapshots.
    partition
        The shard.
    beyond
        Snapshots of this position and earlier ones are not wanted.
    budget
        Is charged with the reading, if given.

    Raises
    ------
    SnapshotError
        A snapshot is whole but was made by other makers: another configuration, library version or format.
    StoreError
        The database failed.
    """
    for found in around.snapshots.found(partition):
        if found.position <= beyond:
            return
        where = {"task": around.task.name, "partition": partition, "position": found.position, "snapshot": found.place}
        try:
            read = partial(_read, around, partition, found)
            if budget is not None:
                read = partial(budget.charge, read)
            is_large = sum(map(len, found.parts)) > LARGE_BYTES
            recovered = await (asyncio.to_thread(aside.run, read) if is_large else asyncio.to_thread(read))
        except DamagedError as error:
            log.warning("a snapshot is passed by", error=str(error), **where)
            continue
        yield recovered


def _read(around: Around, partition: int, found: Found) -> Recovered:
    """The state of a snapshot; DamagedError or SnapshotError if it cannot be used."""
    sealed = found.read()
    if peek(sealed).position != found.position:
        raise DamagedError("the snapshot's manifest names another position than its header.")
    state, header = unseal(sealed, around.task, partition, key=around.key), peek(sealed)
    return Recovered(state, header.digest, header.size, found.place)
