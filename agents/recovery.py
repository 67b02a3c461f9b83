"""Recovery: uses the furthest snapshot of a shard that can be used."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

import structlog
from aiokafka.errors import KafkaError

from headrace.agents.budget import Budget
from headrace.agents.collaborators import Collaborators
from headrace.agents.garbage import aside
from headrace.learning.errors import (
    DamagedError,
    HeadraceError,
    KeylessError,
    LogError,
    ReplacedError,
    SnapshotError,
    StoreError,
)
from headrace.learning.snapshot import check_signed, peek, unseal
from headrace.learning.state import State
from headrace.tables.snapshots import StoredSnapshot

log = structlog.get_logger()

Result = TypeVar("Result")

LARGE_BYTES = 256 << 10
"""Bytes of a state from which on it is read without collections of garbage: its objects would be looked through again and again."""

NO_FAULT_OF_IT = (KeylessError, LogError, StoreError, ReplacedError, KafkaError, OSError)
"""What keeps a snapshot from being used and would keep the others too, or must: the key, the log, a database, the broker."""


class Recovered(NamedTuple):
    """A state from a snapshot, its digest and its size in bytes, and the place of the snapshot among the keys of the table.

    `refused` says why the furthest snapshot of other makers was not used, if there is one that is further.
    """

    state: State
    digest: str
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
    passed: list[tuple[int, str]] | None = None,
) -> Result | None:
    """Use the furthest snapshot of a shard that can be used; what `use` makes of it, or None where there is none.

    One that cannot be used, for whatever reason, is passed by with a warning: it is damaged, not signed with the key, of other makers, or
    `use` raises. Anybody who may write the topic could stop the shard otherwise. When none is left, the first refusal of one of
    other makers is raised: an operator must hear what to do, and the log must not be folded again in silence.

    One that is signed where no key is configured is refused at once. Its writers have a key, so this worker lacks it: what it learned from an
    older snapshot, or from the log, it would save unsigned, and the others would pass that by. Nobody gains by forging one, since
    without a key whoever may write the topic decides the state anyway.

    All is read in a thread; nothing of a snapshot but its first part, before its header was looked at.

    Parameters
    ----------
    collaborators
        Has the snapshots.
    partition
        The shard.
    use
        Tries a state. None means that it does not fit.
    beyond
        Snapshots of this position and earlier ones are not wanted.
    budget
        Is charged with the reading, if given.
    passed
        Position and reason of each snapshot that is passed by are added to it, if given.

    Raises
    ------
    SnapshotError
        None could be used, and one was made by other makers: another configuration, library version or format. Or one is signed, and no key
        is configured.
    LogError
        The state is of another log.
    StoreError
        The database failed, or was closed meanwhile.
    """
    refused: SnapshotError | None = None
    for found in await asyncio.to_thread(list, collaborators.snapshots.furthest_first(partition)):
        if found.position <= beyond:
            break
        read = partial(_read, collaborators, partition, found)
        if budget is not None:
            read = partial(budget.charge, read)
        try:
            recovered = await asyncio.to_thread(read)
            result = await use(recovered._replace(refused=refused))
        except NO_FAULT_OF_IT:
            raise
        except Exception as error:  # noqa: BLE001 a state that is no state fails in any way
            if refused is None and isinstance(error, SnapshotError) and not isinstance(error, DamagedError):
                refused = error
            why = str(error) if isinstance(error, HeadraceError) else repr(error)
            where = {"task": collaborators.task.name, "partition": partition, "position": found.position}
            log.warning("a snapshot is passed by", snapshot=found.place, error=why, **where)
            if passed is not None:
                passed.append((found.position, why))
            continue
        if result is not None:
            return result
    if refused is not None:
        raise refused
    return None


def _read(collaborators: Collaborators, partition: int, found: StoredSnapshot) -> Recovered:
    """The state of a snapshot; DamagedError or SnapshotError if it cannot be used."""
    claimed = found.read_header()
    check_signed(claimed, collaborators.key)
    sealed = found.read()
    work = partial(unseal, sealed, collaborators.task, partition, snapshot_key=collaborators.key)
    state = aside.run(work) if claimed.size > LARGE_BYTES else work()
    header = peek(sealed)
    return Recovered(state, header.digest, header.size, found.place)
