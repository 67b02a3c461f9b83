"""Recovery: reads the snapshots of a shard and uses the furthest one that can be used."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

import structlog
from aiokafka.errors import KafkaError

from headrace.agents.budget import Budget
from headrace.agents.collaborators import Collaborators
from headrace.agents.garbage import collector_pause
from headrace.learning.errors import (
    DamagedError,
    KeylessError,
    LogError,
    ReplacedError,
    SnapshotError,
    StoreError,
)
from headrace.learning.plain import plain_error
from headrace.learning.snapshot import check_signed, peek, unseal
from headrace.learning.state import State
from headrace.tables.snapshots import StoredSnapshot

log = structlog.get_logger()

Result = TypeVar("Result")

LARGE_BYTES = 256 << 10
"""A state of more bytes than this is read without garbage collections, which would scan its objects again and again."""

NOT_OF_ONE_SNAPSHOT = (KeylessError, LogError, StoreError, ReplacedError, KafkaError, OSError)
"""Errors of the key, the log, a database or the broker. They end the recovery, because the other snapshots would meet them too."""


class Recovered(NamedTuple):
    """A state from a snapshot, its size in bytes, and the place of the snapshot among the keys of the table.

    `refused` is the error of a further snapshot that has another configuration, library version or format, if there is one.
    """

    state: State
    size: int
    place: str
    refused: SnapshotError | None = None


async def recover(
    collaborators: Collaborators,
    partition: int,
    use: Callable[[Recovered], Awaitable[Result | None]],
    *,
    beyond: int = -1,
    budget: Budget | None = None,
    skipped: list[tuple[int, str]] | None = None,
) -> Result | None:
    """Pass the snapshots of a shard to `use`, the furthest first, and return the first result; None if no snapshot can be used.

    A snapshot that cannot be used is skipped with a warning: it is damaged, not signed with the key, made by another configuration, library
    version or format, or `use` raises. Otherwise anybody who may write to the topic could stop the shard. When no snapshot is left, the first
    refusal for another configuration, version or format is raised: it tells an operator what to do, and the log must not be folded again
    unnoticed.

    A signed snapshot is refused at once if no key is configured. Other workers have a key that this worker lacks, and they would ignore the
    unsigned snapshots that this worker would write. Forging a signed snapshot gains nothing, since without a key anybody who may write to the
    topic decides the state anyway.

    Snapshots are read in a thread. Only the first part of a snapshot is read before its header is checked.

    Parameters
    ----------
    collaborators
        Hold the snapshot table.
    partition
        The shard.
    use
        Tries a state. Returning None means that the state does not fit.
    beyond
        Only snapshots with a later position are read.
    budget
        Charged with the time of reading, if given.
    skipped
        Collects the position and the reason of each snapshot that is skipped, if given.

    Raises
    ------
    SnapshotError
        No snapshot could be used, and one was made by another configuration, library version or format. Or a snapshot is signed, and no
        key is configured.
    LogError
        The state belongs to another log.
    StoreError
        The database has failed, or was closed meanwhile.
    """
    refused: SnapshotError | None = None
    for stored in await asyncio.to_thread(list, collaborators.snapshots.furthest_first(partition)):
        if stored.position <= beyond:
            break
        read = partial(_read, collaborators, partition, stored)
        if budget is not None:
            read = partial(budget.charge, read)
        try:
            recovered = await asyncio.to_thread(read)
            result = await use(recovered._replace(refused=refused))
        except NOT_OF_ONE_SNAPSHOT:
            raise
        except Exception as error:  # noqa: BLE001 a damaged state fails in any way
            if refused is None and isinstance(error, SnapshotError) and not isinstance(error, DamagedError):
                refused = error
            why = plain_error(error)
            fields = {"task": collaborators.task.name, "partition": partition, "position": stored.position}
            log.warning("a snapshot is passed by", snapshot=stored.place, error=why, **fields)
            if skipped is not None:
                skipped.append((stored.position, why))
            continue
        if result is not None:
            return result
    if refused is not None:
        raise refused
    return None


def _read(collaborators: Collaborators, partition: int, stored: StoredSnapshot) -> Recovered:
    """Read the state of a snapshot; DamagedError or SnapshotError if the snapshot cannot be used."""
    claimed = stored.read_header()
    check_signed(claimed, collaborators.key)
    sealed = stored.read()
    work = partial(
        unseal,
        sealed,
        collaborators.task,
        partition,
        snapshot_key=collaborators.key,
        own_modules=collaborators.own_modules,
    )
    state = collector_pause.run(work) if claimed.size > LARGE_BYTES else work()
    header = peek(sealed)
    return Recovered(state, header.size, stored.place)
