"""What the group has assigned to this worker: partitions that are opened, looked after and given back."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import partial
from typing import ClassVar, Generic, Protocol, TypeVar

import structlog

from headrace.agents.background import Background
from headrace.agents.stopping import stop_all
from headrace.learning.errors import HeadraceError

log = structlog.get_logger()

LEAVE_SECONDS = 5.0
"""How long a partition that is taken away may take to bring its last progress to safety; the log has it all without."""

RETRY_SECONDS = 0.5
"""How long to wait before a partition that cannot be opened is tried again."""


class Part(Protocol):
    """One assigned partition."""

    what: ClassVar[str]
    where: Mapping[str, object]
    error: str | None

    @property
    def status(self) -> str:
        """`opening` at first, `live` while it takes messages; any other is an end."""
        ...

    @property
    def position(self) -> int:
        """The offset of the next message to take."""
        ...

    async def open(self) -> None:
        """Become live, or stop. Raises what may pass: the old owner's lock, a broker that is away."""
        ...

    async def look_after(self) -> None:
        """Read what was not delivered, and bring the progress to safety if it is time. Raises what may pass."""
        ...

    async def leave(self) -> None:
        """Bring the last progress to safety."""
        ...

    def let_go(self) -> None:
        """Close what an opening that failed may have opened."""
        ...


Place = TypeVar("Place", int, tuple[str, int])
Kind = TypeVar("Kind", bound=Part)


class Assigned(ABC, Generic[Place, Kind]):
    """The partitions that this worker owns now; each is opened and looked after by a background task of its own.

    A partition whose messages are all taken gets no event that would open it, so every one is opened as soon as it is assigned. An opening
    that fails is tried again until it succeeds, and a partition that is live is looked after until it is closed.

    Parameters
    ----------
    watch_seconds
        How often a partition is looked after.

    Attributes
    ----------
    parts, watches
        The partitions, and the background task of each.
    """

    def __init__(self, watch_seconds: float):
        self.watch_seconds = watch_seconds
        self.parts: dict[Place, Kind] = {}
        self.watches: dict[Place, Background] = {}

    @abstractmethod
    def make(self, place: Place) -> Kind:
        """Make a partition that is to be opened."""

    @abstractmethod
    def name(self, place: Place) -> str:
        """Name the background task of a partition."""

    @abstractmethod
    def close_part(self, place: Place, part: Kind) -> None:
        """Close a partition: it takes nothing any more."""

    def assign(self, places: Iterable[Place]) -> None:
        """Open these partitions and no others."""
        self.close()
        for place in sorted(places):
            self.parts[place] = self.make(place)
            self.watches[place] = Background(self.name(place), partial(self.watch, place)).start()

    async def revoke(self) -> None:
        """Let each live partition bring its last progress to safety, in limited time, and close them all."""
        leaving = [(self.name(place), part.leave()) for place, part in self.parts.items() if part.status == "live"]
        try:
            await stop_all(leaving, LEAVE_SECONDS)
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
        """Open a partition, and look after it until it is live no more."""
        part = self.parts[place]
        while part.status == "opening":
            try:
                await self.open_part(part)
            except Exception as error:  # noqa: BLE001 the broker is away, or the old owner's lock is not free
                part.error = self.explain(part, error)
                log.info(f"cannot open {part.what} yet", error=part.error, **part.where)  # noqa: G004
                part.let_go()
                await asyncio.sleep(RETRY_SECONDS)
        log.info(part.what.rpartition(" ")[2], status=part.status, position=part.position, **part.where)
        while part.status == "live":
            try:
                await part.look_after()
            except Exception as error:  # noqa: BLE001 the broker is away; the next round tries again
                log.warning(f"cannot look after {part.what} now", error=repr(error), **part.where)  # noqa: G004
            await asyncio.sleep(self.watch_seconds)

    async def open_part(self, part: Kind) -> None:
        """Open a partition. Raises what may pass."""
        await part.open()

    def explain(self, part: Kind, error: Exception) -> str:  # noqa: ARG002
        """Say why a partition cannot be opened yet."""
        return str(error) if isinstance(error, HeadraceError) else repr(error)
