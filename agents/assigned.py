"""Opens the partitions that the consumer group assigns to this worker, watches them, and gives them back."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import partial
from typing import ClassVar, Generic, Protocol, TypeVar

import structlog

from headrace.agents.background import Background
from headrace.agents.pace import Pace
from headrace.agents.stopping import stop_all
from headrace.learning.plain import plain_error

log = structlog.get_logger()


class Part(Protocol):
    """One assigned partition. `what` and `where` name it in log lines; `error` says why it is stopped or not open yet."""

    what: ClassVar[str]
    where: Mapping[str, object]
    error: str | None

    @property
    def status(self) -> str:
        """Return `opening` at first, `live` while the partition takes messages, any other word when it has ended."""
        ...

    @property
    def position(self) -> int:
        """Return the offset of the next message to take."""
        ...

    async def open(self) -> None:
        """Become live, or stop. Raises a temporary error, such as a lock that the old owner holds or a broker that is away."""
        ...

    async def look_after(self) -> None:
        """Read messages that were not delivered, and save the progress if it is time. Raises a temporary error."""
        ...

    async def leave(self) -> None:
        """Save the last progress, before the partition is closed."""
        ...

    def let_go(self) -> None:
        """Close the resources that a failed opening may have left open."""
        ...


Place = TypeVar("Place", int, tuple[str, int])
Kind = TypeVar("Kind", bound=Part)


class Assigned(ABC, Generic[Place, Kind]):
    """Holds the partitions that this worker owns now, and opens and watches each in a background task of its own.

    A partition is opened as soon as it is assigned: if all its messages were taken before, Faust delivers no event that could open it. An
    opening that fails is tried again until it succeeds, and a live partition is watched until it is closed.

    Parameters
    ----------
    pace
        Says how soon an opening is tried again, and how long leaving may take.
    watch_seconds
        Seconds between two calls of a partition's `look_after`.

    Attributes
    ----------
    parts, watches
        The partitions, and the background task of each.
    """

    def __init__(self, pace: Pace, watch_seconds: float):
        self.pace, self.watch_seconds = pace, watch_seconds
        self.parts: dict[Place, Kind] = {}
        self.watches: dict[Place, Background] = {}

    @abstractmethod
    def make(self, place: Place) -> Kind:
        """Return a new partition, which is not open yet."""

    @abstractmethod
    def name(self, place: Place) -> str:
        """Return the name of a partition's background task."""

    @abstractmethod
    def close_part(self, place: Place, part: Kind) -> None:
        """Close a partition, which takes no more messages."""

    def assign(self, places: Iterable[Place]) -> None:
        """Close all partitions and open these."""
        self.close()
        for place in sorted(places):
            self.parts[place] = self.make(place)
            self.watches[place] = Background(self.name(place), partial(self.watch, place), pace=self.pace).start()

    async def revoke(self) -> None:
        """Let each live partition save its last progress within `pace.leave`, and close them all."""
        leaving = [(self.name(place), part.leave()) for place, part in self.parts.items() if part.status == "live"]
        try:
            await stop_all(leaving, self.pace.leave)
        finally:
            self.close()

    def close(self) -> None:
        """Close all partitions at once."""
        for watch in self.watches.values():
            watch.cancel()
        self.watches.clear()
        for place, part in self.parts.items():
            self.close_part(place, part)
        self.parts.clear()

    async def watch(self, place: Place) -> None:
        """Open a partition, and look after it for as long as it is live."""
        part = self.parts[place]
        while part.status == "opening":
            try:
                await self.open_part(part)
            except Exception as error:  # noqa: BLE001 the broker is away, or the old owner's lock is not free
                part.error = self.explain(part, error)
                log.info(f"cannot open {part.what} yet", error=part.error, **part.where)  # noqa: G004 one of two words
                part.let_go()
                await asyncio.sleep(self.pace.retry)
        log.info(part.what.rpartition(" ")[2], status=part.status, position=part.position, **part.where)
        while part.status == "live":
            try:
                await part.look_after()
            except Exception as error:  # noqa: BLE001 the broker is away; the next round tries again
                log.warning(f"cannot look after {part.what} now", error=plain_error(error), **part.where)  # noqa: G004 as above
            await asyncio.sleep(self.watch_seconds)

    async def open_part(self, part: Kind) -> None:
        """Open a partition. Raises a temporary error."""
        await part.open()

    def explain(self, part: Kind, error: Exception) -> str:  # noqa: ARG002
        """Return the reason why a partition cannot be opened yet."""
        return plain_error(error)
