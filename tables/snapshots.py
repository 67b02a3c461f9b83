"""Snapshots: a learner's whole state as bytes, by shard; the furthest one is the one to go on from."""

import contextlib
import hashlib
import re
from collections.abc import Collection, Iterator
from typing import Annotated, NamedTuple

import msgspec
import structlog

from learning.errors import DamagedError
from learning.header import POSITION_MAX
from tables.changelog import CHUNK_MAX
from tables.table import Table

log = structlog.get_logger()

CHUNKS_MAX = 10_000
"""Chunks of one snapshot: 5 GB of them."""


PLACE = re.compile(r"[A-Za-z0-9._-]+/[0-9]{12}").fullmatch
"""A snapshot's place among the keys: its writer, and a number."""


class Manifest(msgspec.Struct, frozen=True):
    """What belongs to one snapshot: its position, its chunks, and the SHA-256 (hex) of them all."""

    position: Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]
    chunks: Annotated[int, msgspec.Meta(ge=0, le=CHUNKS_MAX)]
    sha256: str


class Found(NamedTuple):
    """A snapshot in the table: the position that its manifest names, its place among the keys, its parts, and the sum of them all."""

    position: int
    place: str
    parts: list[bytes]
    sha256: str

    def read(self) -> bytes:
        """The snapshot, which takes a while for a large one.

        Raises
        ------
        DamagedError
            The parts are not those that the manifest names: its writer was killed before it had removed all of it, or they are damaged.
        """
        data = b"".join(self.parts)
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise DamagedError("the snapshot's parts are not those that its manifest names.")
        return data


decode_manifest = msgspec.json.Decoder(Manifest).decode


class Snapshots:
    """The snapshots of one task.

    A snapshot is cut into chunks that a broker takes; the manifest is written last, so a snapshot is there as a
    whole or not at all. Its last chunk travels in the manifest's own record: most snapshots are one record. Keys carry the writer
    and a number, and none is used twice: a worker that is paused while it removes snapshots removes those that it had seen, and none
    that was written since.

    Whoever wrote it, a snapshot is the right state for the position that it names, so the furthest is the best, of equal ones that
    with the greater name. The newest one may turn out to be damaged, so a writer keeps its snapshot before the newest, too, or the one
    that it took the shard up from; it removes those behind that one, and the best one is removed by nobody.

    Parameters
    ----------
    table
        Where they are kept.
    writer
        Names this process among all that ever wrote: letters, digits, `.`, `_` and `-`.
    """

    def __init__(self, table: Table, writer: str):
        if not re.fullmatch(r"[A-Za-z0-9._-]+", writer):
            msg = f"writer {writer!r} is not made of letters, digits, '.', '_' and '-'"
            raise ValueError(msg)
        self.table = table
        self.writer = writer
        self._count = 0
        self._written: dict[int, set[str]] = {}  # by shard: begun here and not removed yet
        self._previous: dict[int, tuple[int, str]] = {}  # by shard: position and place of the one that must stay
        self._reported: set[tuple[int, str]] = set()

    async def save(self, partition: int, position: int, snapshot: bytes) -> None:
        """Write one snapshot; it is durable when this returns."""
        self._count += 1
        place = f"{self.writer}/{self._count:012}"
        *chunks, last = [snapshot[at : at + CHUNK_MAX] for at in range(0, len(snapshot), CHUNK_MAX)] or [b""]
        written = self._written.setdefault(partition, set())
        previous = self._previous.get(partition)
        written.add(place)
        for number, chunk in enumerate(chunks):
            await self.table.put(partition, _chunk_key(place, number), chunk)
        manifest = Manifest(position, len(chunks), hashlib.sha256(snapshot).hexdigest())
        await self.table.put(partition, _manifest_key(place), msgspec.json.encode(manifest) + b"\n" + last)
        self.keep(partition, position, place)
        if partition in self.table.opened():
            stays = {place, previous[1]} if previous else {place}
            await self._remove(partition, written - stays)
            await self._remove(partition, self._behind(partition, previous or (position, place)))

    def keep(self, partition: int, position: int, place: str) -> None:
        """Keep this snapshot until there are two better ones of this writer: the shard was taken up from it."""
        self._previous[partition] = position, place

    def found(self, partition: int) -> Iterator[Found]:
        """The snapshots there are, the furthest first; whether one is whole is known when it is read."""
        ordered = sorted(self._manifests(partition), key=lambda entry: (entry[1].position, entry[0]), reverse=True)
        for place, manifest, last in ordered:
            parts = [self.table.get(partition, _chunk_key(place, number)) for number in range(manifest.chunks)]
            yield Found(manifest.position, place, [*(part or b"" for part in parts), last], manifest.sha256)

    def load(self, partition: int) -> tuple[int, bytes] | None:
        """The position and the bytes of the furthest snapshot that is whole, or None."""
        for found in self.found(partition):
            with contextlib.suppress(DamagedError):
                return found.position, found.read()
        return None

    def _manifests(self, partition: int) -> Iterator[tuple[str, Manifest, bytes]]:
        for key, value in self.table.items(partition, b"manifest/"):
            head, _, last = value.partition(b"\n")
            place = key.removeprefix(b"manifest/").decode(errors="replace")
            if not PLACE(place):
                self._report(partition, place, "its key is not one that a worker gives")
                continue
            try:
                manifest = decode_manifest(head)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._report(partition, place, f"its manifest cannot be read: {error}")
                continue
            yield place, manifest, last

    def _report(self, partition: int, place: str, why: str) -> None:
        """Say once that a snapshot is passed by."""
        if (partition, place) not in self._reported:
            self._reported.add((partition, place))
            log.warning("a snapshot is passed by", partition=partition, snapshot=place, why=why)

    def _behind(self, partition: int, best: tuple[int, str]) -> set[str]:
        """The snapshots of other writers that are worse than this one."""
        return {
            name
            for name, manifest, _ in self._manifests(partition)
            if not name.startswith(f"{self.writer}/") and (manifest.position, name) < best
        }

    async def _remove(self, partition: int, places: Collection[str]) -> None:
        """Remove snapshots: the manifest and the chunks that are there, whatever the manifest says of their number."""
        for place in sorted(places):
            await self.table.put(partition, _manifest_key(place), None)
            for key in [key for key, _ in self.table.items(partition, f"chunk/{place}/".encode())]:
                await self.table.put(partition, key, None)
            self._written[partition].discard(place)


def _manifest_key(place: str) -> bytes:
    return f"manifest/{place}".encode()


def _chunk_key(place: str, number: int) -> bytes:
    return f"chunk/{place}/{number:05}".encode()
