"""The history of a task: the points of all its shards, as the topic `<task>.history` has them, in every worker."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from itertools import groupby
from pathlib import Path

import msgspec
import structlog
from aiokafka.errors import KafkaError

from headrace.learning.effects import Measured
from headrace.learning.errors import ReplacedError, StoreError
from headrace.learning.plain import plain_error
from headrace.learning.rings import SIZES
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.table import Table, keep_up

log = structlog.get_logger()

RETRY_SECONDS = 0.5
"""How long to wait after the topic or the database has failed."""

POINT = b"p"
"""The prefix of every point's key in the database, which keeps it apart from the table's own keys."""

read_point = msgspec.json.Decoder(Measured).decode


def slot_key(point: Measured) -> bytes:
    """Return the key of a point in the topic: that of its slot, `<partition>/<ring>/<slot>`. A new point replaces the one that had the slot.

    Examples
    --------
    >>> point = Measured(
    ...     id="ads/0/7/0/0", ring="minutes", number=182, partition=0, position=7, updates=8, time=0.0, label_delay_s={}, arms={}
    ... )
    >>> slot_key(point)
    b'0/minutes/2'
    """
    return f"{point.partition}/{point.ring}/{point.number % SIZES[point.ring]}".encode()


class History:
    """Follows `<task>.history` into a RocksDB, so that a worker tells the history of all shards, also right after its start.

    The topic has one partition for all shards: every worker follows all of it. Its writers are the shards, which publish each point before
    the snapshot that covers it. After a crash a shard publishes the same points again, with the same bytes.

    Parameters
    ----------
    changelog
        The topic.
    folder
        The folder of the database. It may be deleted while no worker runs.
    """

    def __init__(self, changelog: Changelog, folder: Path):
        self.changelog = changelog
        self._table = Points(changelog, folder)

    async def run(self) -> None:
        """Follow the topic until cancelled; try again for ever while the topic or the database cannot be reached."""
        while True:
            try:
                async with aclosing(keep_up(self._table, 0)) as rounds:
                    async for _ in rounds:
                        pass
            except (KafkaError, OSError, StoreError, ReplacedError) as error:
                log.info("cannot follow a history now", topic=self._table.folder.parent.name, error=plain_error(error))
                await asyncio.sleep(RETRY_SECONDS)

    def points(self) -> list[Measured]:
        """Return the points of all shards, by partition and oldest first; a point that has slots in several rings comes once.

        It takes milliseconds for each shard. It may be called in a thread.

        Raises
        ------
        KeyError
            The database is not open yet.
        StoreError
            The database failed.
        """
        return sort_out(read_point(value) for _, value in self._table.items(0, POINT))

    async def stop(self) -> None:
        """Close the connection and the database, after `run` was cancelled."""
        await self.changelog.stop()
        self._table.close(0)


class Points(Table):
    """A table of points, which leaves out whatever is no point of its slot: it has as many entries as there are slots."""

    def kept(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """Return the key of the slot, and the point; None if it is none."""
        return POINT + entry.key, entry.value if entry.value is not None and is_point(entry.key, entry.value) else None


def is_point(key: bytes, value: bytes) -> bool:
    """Say whether a value is a point that belongs under a key."""
    try:
        return slot_key(read_point(value)) == key
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def sort_out(points: Iterable[Measured]) -> list[Measured]:
    """Sort points, and leave out those that are another log's, and those that say nothing, about a single prediction or none.

    A log that was made anew has its own points, from number 0 on. Until they have taken all slots, those left have points of the log before, with
    higher numbers than the newest point has.
    """
    rings = sorted(points, key=lambda point: (point.partition, point.ring))
    held = [
        point for _, ring in groupby(rings, key=lambda point: (point.partition, point.ring)) for point in _of_log(ring)
    ]
    once = {(point.partition, point.time, point.position, point.updates): point for point in held}
    return [once[place] for place in sorted(once) if is_telling(once[place])]


def is_telling(point: Measured) -> bool:
    """Say whether an arm has scored more than one prediction.

    The first definition of a log that was empty has the timestamp 0, so that an hour of log time ends at the first label.
    """
    return any(arm.scored > 1 for arm in point.arms.values())


def _of_log(points: Iterable[Measured]) -> Iterator[Measured]:
    ring = list(points)
    newest = max(ring, key=lambda point: (point.time, point.number))
    return (point for point in ring if newest.number - SIZES[point.ring] < point.number <= newest.number)
