"""The feature store: for each entity the latest values of the features that a task does not get with its questions."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog
from aiokafka.errors import KafkaError

from headrace.learning.errors import RecordError, ReplacedError, StoreError
from headrace.learning.records import refuse_duplicate_keys
from headrace.learning.task import Task, Value
from headrace.tables.changelog import Changelog, Entry
from headrace.tables.table import Table

log = structlog.get_logger()

RETRY_SECONDS = 0.5
"""How long a follower waits after its topic or its store failed."""

RECOGNISE_SECONDS = 10.0
"""How often a follower looks whether the topic is still the one that it has followed. Made anew and filled again, it goes on as if
nothing had happened."""

SLICE = 1_000
"""Entities that are looked at between two rounds of the follower for what has expired: about 0.2 ms."""

ENTITY = b"k"
"""Begins every key in the database, so that no entity's key is one of the table's own."""

decode = msgspec.json.Decoder(dict[str, Any]).decode


class Entity(NamedTuple):
    """What is stored of an entity, of the features that the task declares, and its time in seconds since the epoch.

    A value that is there and cannot be read is NaN, which no feature may be. The time is None where it cannot be read.
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
    """Whether the store has once had all that the topic held when this process began to follow it."""

    async def run(self) -> None:
        """Follow the topic until cancelled; a topic or store that is away is tried again for ever."""
        ...

    async def stop(self) -> None:
        """Close the connections, when the topic is followed no more."""
        ...

    async def read(self, keys: Sequence[str]) -> list[Entity | None]:
        """What is stored of each entity, in the keys' order; None where there is nothing, or nothing any more."""
        ...

    async def look_up(self, keys: Sequence[str]) -> list[dict[str, Value]]:
        """The stored features of each entity, in the keys' order: only those that are there and have not expired."""
        return [entity.features if entity else {} for entity in await self.read(keys)]

    async def write(self, key: str, features: dict[str, Value] | None) -> int:
        """Replace what is stored of an entity, or remove it (None).

        Returns the offset in the topic, once the broker has it. Look-ups see it a moment later.
        """
        ...


class Following(FeatureStore):
    """What the stores have in common: to write is to append to the topic, and a task follows the topic for ever.

    Parameters
    ----------
    task
        Names the topic, and declares the features to look up.
    changelog
        The topic `<task>.features`; it has one partition, so that "the latest" is not a matter of opinion.
    ttl
        Seconds after which a value is as if it were not there; None: never.
    clock
        Seconds since the epoch, as Kafka's timestamps have them.
    """

    passing: tuple[type[Exception], ...] = (KafkaError, OSError, StoreError, ReplacedError)
    """What passes by itself when the topic or the store is away."""

    def __init__(self, task: Task, changelog: Changelog, ttl: float | None, clock: Callable[[], float] = time.time):
        self.task, self.changelog, self.ttl, self.clock = task, changelog, ttl, clock
        self.names = list(task.stored or {})
        self.is_current = False
        self.refused = 0

    async def run(self) -> None:
        """Follow the topic until cancelled; a topic or store that is away is tried again for ever. Raises whatever else fails."""
        logged = None
        while True:
            try:
                await self._follow()
            except self.passing as error:
                if repr(error) != logged:
                    logged = repr(error)
                    log.warning("cannot follow stored features now", task=self.task.name, error=logged)
                await asyncio.sleep(RETRY_SECONDS)

    async def stop(self) -> None:
        """Close the connections, when the topic is followed no more."""
        await self.changelog.stop()

    async def write(self, key: str, features: dict[str, Value] | None) -> int:
        """Replace what is stored of an entity, or remove it (None); the offset, once the broker has it."""
        return await self.changelog.append(0, key.encode(), None if features is None else msgspec.json.encode(features))

    def features_of(self, entry: Entry) -> dict[str, Any]:
        """The features that an entry of the topic holds: none if it is no JSON object, or names a feature twice.

        Such an entry is counted in `refused` and logged.
        """
        if entry.value is None:
            return {}
        try:
            loose = decode(entry.value)
            if entry.value.count(b":") != len(loose):  # otherwise no key can stand twice
                refuse_duplicate_keys(entry.value)
        except (RecordError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.refused += 1
            where = {"topic": f"{self.task.name}.features", "offset": entry.offset}
            log.warning(
                "a message is not a JSON object of features; its entity has none now", error=str(error), **where
            )
            return {}
        return {name: value for name, value in loose.items() if value is not None}

    def time_of(self, entry: Entry) -> int:
        """The time from which an entry's features age, in milliseconds: its timestamp, or now if that lies ahead."""
        return max(0, min(entry.time, round(self.clock() * 1000)))

    async def _follow(self) -> None:
        """Follow the topic from where the store stands; ends, or raises, when that has to be found out anew."""
        raise NotImplementedError


class EmbeddedStore(Following):
    """The feature store inside the worker: every worker follows the whole topic into a RocksDB and looks up in that.

    Parameters
    ----------
    task, changelog, ttl, clock
        As for `Following`.
    folder
        Of the database; it may be deleted at any time that no worker runs.
    """

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
        """What is stored of each entity; KeyError while the database is not open, StoreError when it fails: then it is opened anew."""
        try:
            return [self._read(self._table.get(0, ENTITY + key.encode())) for key in keys]
        except StoreError:
            self._table.close(0)  # which the follower notices
            raise

    async def stop(self) -> None:
        """Close the connection and the database, when the topic is followed no more."""
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
        if not self._table.opened():  # it stays open while the broker is away: what it has is still right
            self._table.open_as_it_is(0)
        try:
            await self._table.catch_up(0)
            self.is_current = True
            recognised_at = asyncio.get_running_loop().time()
            async with aclosing(self._table.follow(0)) as rounds:
                async for _ in rounds:
                    if self.ttl is not None:
                        self._purge()
                    if (now := asyncio.get_running_loop().time()) - recognised_at > RECOGNISE_SECONDS:
                        if not await self._table.is_current(0):
                            return  # catching up reads the other topic from its beginning
                        recognised_at = now
        except StoreError:
            self._table.close(0)
            raise

    def _purge(self) -> None:
        """Remove what has expired among the next slice of entities."""
        looked_at = 0
        for looked_at, (key, kept) in enumerate(self._table.items(0, ENTITY, self._purged_to), 1):
            if self._is_expired(kept):
                self._table.remove(0, key)
            if looked_at == SLICE:
                self._purged_to = key
                return
        self._purged_to = b""


class Entities(Table):
    """A table of entities: the features of each, after the time from which they age."""

    def __init__(self, store: Following, folder: Path):
        super().__init__(store.changelog, folder)
        self._features_of, self._time_of = store.features_of, store.time_of

    def kept(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """The entity's key; eight bytes of milliseconds and the features as JSON, or None if there are none."""
        features = self._features_of(entry)
        if not features:
            return ENTITY + entry.key, None
        return ENTITY + entry.key, self._time_of(entry).to_bytes(8, "big") + msgspec.json.encode(features)


def _time(kept: bytes) -> float:
    return int.from_bytes(kept[:8], "big") / 1000
