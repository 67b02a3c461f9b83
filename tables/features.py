"""The feature store: the latest values of features, by entity, that a task looks up because its records lack them."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError

from headrace.learning.errors import RecordError, ReplacedError, StoreError
from headrace.learning.plain import plain_error
from headrace.learning.records import refuse_duplicate_keys
from headrace.learning.task import Json, Task, Value
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.table import Table, keep_up

log = structlog.get_logger()

RETRY_SECONDS = 0.5
"""How long a follower waits after its topic or its store failed."""

SLICE = 1_000
"""The number of entities that are checked for expiry between two rounds of the follower: about 0.2 ms."""

ENTITY = b"k"
"""The prefix of every entity's key in the database, which keeps it apart from the table's own keys."""

decode = msgspec.json.Decoder(dict[str, Json]).decode


class Entity(NamedTuple):
    """The stored features of an entity that the task declares, and the time of their message in seconds since the epoch.

    A stored value that cannot be read is NaN, which no feature may be. A time that cannot be read is None.
    """

    features: dict[str, Value]
    time: float | None


class FeatureStore(Protocol):
    """Features by entity, as the topic `<task>.features` has them.

    A message's key is the entity's, its value a JSON object with *all* features of that entity: it replaces those before. (The topic
    is compacted: of each key only the last message is sure to stay, so it must be enough.) A feature that is `null` is as one left
    out; a message without a value removes the entity. A value is as old as its message's Kafka timestamp; after the time to live it
    is as if it were not there. A timestamp ahead of the clock of the store counts as the time at which the store read the message:
    a producer whose clock is ahead cannot make a value live longer than the time to live from then.
    """

    is_current: bool
    """Whether the store has reached the end that the topic had when this process began to follow it."""

    is_immediate: bool = False
    """Whether a look-up never waits: its coroutine ends without having given the event loop a turn."""

    async def run(self) -> None:
        """Follow the topic until cancelled; try again for ever while the topic or the store cannot be reached."""
        ...

    async def stop(self) -> None:
        """Close the connections, after `run` was cancelled."""
        ...

    async def read(self, keys: Sequence[str]) -> list[Entity | None]:
        """Return what is stored for each entity, in the order of the keys; None for an entity without features, or with expired ones."""
        ...

    async def look_up(self, keys: Sequence[str]) -> list[dict[str, Value]]:
        """Return the stored features of each entity that have not expired, in the order of the keys."""
        return [entity.features if entity else {} for entity in await self.read(keys)]

    async def write(self, key: str, features: dict[str, Value] | None) -> int:
        """Replace the features of an entity, or remove them (None).

        Returns the offset in the topic after the broker has acknowledged the message. Look-ups see the change a moment later.
        """
        ...


class Following(FeatureStore):
    """The base of the feature stores: `write` appends to the topic, and `run` follows the topic and applies its entries.

    Parameters
    ----------
    task
        The task, which names the topic and declares the features to look up.
    changelog
        The topic `<task>.features`. It has one partition, so that one order decides which value is the latest.
    ttl
        The time to live of a value in seconds; None: for ever.
    clock
        A clock in seconds since the epoch, like Kafka's timestamps.
    """

    passing: tuple[type[Exception], ...] = (KafkaError, OSError, StoreError, ReplacedError)
    """The errors that pass by themselves while the topic or the store cannot be reached."""

    def __init__(self, task: Task, changelog: Changelog, ttl: float | None, clock: Callable[[], float] = time.time):
        self.task, self.changelog, self.ttl, self.clock = task, changelog, ttl, clock
        self.names = list(task.stored or {})
        self.is_current = False
        self.refused = 0

    async def run(self) -> None:
        """Follow the topic until cancelled; try again for ever while the topic or the store cannot be reached; raise any other error."""
        logged = None
        while True:
            try:
                await self._follow()
            except self.passing as error:
                if plain_error(error) != logged:
                    logged = plain_error(error)
                    log.warning("cannot follow stored features now", task=self.task.name, error=logged)
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """Close the connections, after `run` was cancelled."""
        await self.changelog.stop()

    async def write(self, key: str, features: dict[str, Value] | None) -> int:
        """Replace the features of an entity, or remove them (None); return the offset after the broker has acknowledged the message."""
        return await self.changelog.append(0, key.encode(), None if features is None else msgspec.json.encode(features))

    def features_of(self, entry: Entry) -> dict[str, Json]:
        """Decode the features in an entry of the topic; return none if it is no JSON object, or names a feature twice.

        An entry that cannot be decoded is counted in `refused` and logged.
        """
        if entry.value is None:
            return {}
        try:
            loose = decode(entry.value)
            if entry.value.count(b":") != len(loose):  # with as many colons as keys, no key is a duplicate
                refuse_duplicate_keys(entry.value)
        except (RecordError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.refused += 1
            where = {"topic": f"{self.task.name}.features", "offset": entry.offset}
            log.warning(
                "a message is not a JSON object of features; its entity has none now", error=plain_error(error), **where
            )
            return {}
        return {name: value for name, value in loose.items() if value is not None}

    def time_of(self, entry: Entry) -> int:
        """Return the time in milliseconds from which an entry's features age: its timestamp, or now if the timestamp is ahead."""
        return max(0, min(entry.time, round(self.clock() * 1000)))

    async def _follow(self) -> None:
        """Follow the topic from the store's position; return or raise when the position must be read again."""
        raise NotImplementedError


class EmbeddedStore(Following):
    """The feature store inside the worker: each worker copies the whole topic into a RocksDB, and looks features up there.

    Parameters
    ----------
    task, changelog, ttl, clock
        As for `Following`.
    folder
        The folder of the database. It may be deleted while no worker runs.
    """

    is_immediate = True

    def __init__(
        self,
        task: Task,
        changelog: Changelog,
        ttl: float | None,
        folder: Path,
        clock: Callable[[], float] = time.time,
    ):
        super().__init__(task, changelog, ttl, clock)
        self._table = Entities(self, folder)
        self._purged_to = b""

    async def read(self, keys: Sequence[str]) -> list[Entity | None]:
        """Return what is stored for each entity, in the order of the keys.

        Raises
        ------
        KeyError
            The database is not open yet.
        StoreError
            The database failed; the follower opens it again.
        """
        try:
            return [self._read(self._table.get(0, ENTITY + key.encode())) for key in keys]
        except StoreError:
            self._table.close(0)  # the follower notices, and opens it again
            raise

    async def stop(self) -> None:
        """Close the connection and the database, after `run` was cancelled."""
        await super().stop()
        self._table.close(0)

    def _read(self, kept: bytes | None) -> Entity | None:
        if kept is None or self._is_expired(kept):
            return None
        features = decode(kept[8:])
        return Entity({name: features[name] for name in self.names if name in features}, _time(kept))

    def _is_expired(self, kept: bytes) -> bool:
        return self.ttl is not None and self.clock() - _time(kept) > self.ttl

    async def _follow(self) -> None:
        try:
            async with aclosing(keep_up(self._table, 0)) as rounds:
                async for _ in rounds:
                    self.is_current = True
                    if self.ttl is not None:
                        self._purge()
        except StoreError:
            self._table.close(0)
            raise

    def _purge(self) -> None:
        """Remove the expired entities from the next slice."""
        looked_at = 0
        for looked_at, (key, kept) in enumerate(self._table.items(0, ENTITY, self._purged_to), 1):
            if self._is_expired(kept):
                self._table.remove(0, key)
            if looked_at == SLICE:
                self._purged_to = key
                return
        self._purged_to = b""


class Entities(Table):
    """A table of entities: each value is the time from which the features age, and the features."""

    def __init__(self, store: Following, folder: Path):
        super().__init__(store.changelog, folder)
        self._features_of, self._time_of = store.features_of, store.time_of

    def kept(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """Return the entity's key, and eight bytes of milliseconds with the features as JSON, or None if there are none."""
        features = self._features_of(entry)
        if not features:
            return ENTITY + entry.key, None
        return ENTITY + entry.key, self._time_of(entry).to_bytes(8, "big") + msgspec.json.encode(features)


def _time(kept: bytes) -> float:
    return int.from_bytes(kept[:8], "big") / 1000
