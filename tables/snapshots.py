"""Snapshots: a learner's whole state as bytes, by shard; the furthest one is the one to go on from."""

import contextlib
import hashlib
import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Annotated, NamedTuple

import msgspec
import structlog

from headrace.learning.encoding import SIZE
from headrace.learning.errors import DamagedError, StoreError
from headrace.learning.snapshot.header import HEADER_MAX, POSITION_MAX, START, SUM, Header, split
from headrace.tables.changelog import CHUNK_MAX
from headrace.tables.table import Table

log = structlog.get_logger()

PACKED_MAX = SIZE + (SIZE >> 8) + 64
"""Bytes that the largest state may have when Zstandard cannot compress it: ZSTD_compressBound."""

CHUNKS_MAX = (START + HEADER_MAX + 2 * SUM + PACKED_MAX) // CHUNK_MAX
"""Chunks of one snapshot, beside the last one, which travels in the manifest's record."""

NOT_ITS_PARTS = "the snapshot's parts are not those that its manifest names."

PLACE = re.compile(r"[A-Za-z0-9._-]+/[0-9]{12}").fullmatch
"""A snapshot's place among the keys: its writer, and a number."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What belongs to one snapshot: its position, its chunks, and the SHA-256 (hex) of them all."""

    position: Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]
    chunks: Annotated[int, msgspec.Meta(ge=0, le=CHUNKS_MAX)]
    sha256: str


decode_manifest = msgspec.json.Decoder(Manifest).decode


class Found(NamedTuple):
    """A snapshot in the table: the position that its manifest names, and its place among the keys.

    Nothing of it is held here. `look` and `read` fetch from the database, in any thread, what they need of it; anybody may have
    written it, so no part is fetched before those before it have shown that it can belong to a snapshot. Both raise

    - StoreError when the database fails, or was closed meanwhile;
    - DamagedError when the parts are not those that the manifest names: its writer was killed before it had removed all of them, or they
      are damaged;
    - SnapshotError when it is of another format.
    """

    position: int
    place: str
    get: Callable[[bytes], bytes | None]

    def look(self) -> Header:
        """The header, for which the first part alone is fetched."""
        return self._begin()[0]

    def read(self) -> bytes:
        """The snapshot, which takes a while for a large one."""
        _, manifest, first, last = self._begin()
        parts = [first]
        if manifest.chunks:
            parts += [self._chunk(number) for number in range(1, manifest.chunks)]
            parts.append(last)
        data = b"".join(parts)
        if hashlib.sha256(data).hexdigest() != manifest.sha256:
            raise DamagedError(NOT_ITS_PARTS)
        return data

    def _begin(self) -> tuple[Header, Manifest, bytes, bytes]:
        """The header, the manifest, the first part and the last; they agree on how many parts there are and how large each is."""
        head, _, last = (self.get(_manifest_key(self.place)) or b"").partition(b"\n")
        try:
            manifest = decode_manifest(head)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise DamagedError("the snapshot has been removed.") from None
        first = self._chunk(0) if manifest.chunks else last
        parts = split(first)
        header = parts.header
        size = len(parts.head) + (SUM if header.signed else 0) + header.packed
        if manifest.chunks != _chunks(size) or len(last) != size - manifest.chunks * CHUNK_MAX:
            raise DamagedError(NOT_ITS_PARTS)
        if not header.position == manifest.position == self.position:
            raise DamagedError("the snapshot's manifest names another position than its header.")
        if header.size > SIZE:
            raise DamagedError(f"the snapshot's state has {header.size:,} bytes, and at most {SIZE:,} are read.")
        return header, manifest, first, last

    def _chunk(self, number: int) -> bytes:
        chunk = self.get(_chunk_key(self.place, number))
        if chunk is None or len(chunk) != CHUNK_MAX:
            raise DamagedError(NOT_ITS_PARTS)
        return chunk


class Snapshots:
    """The snapshots of one task.

    A snapshot is cut into chunks that a broker takes; the manifest is written last, so a snapshot is there as a
    whole or not at all. Its last chunk travels in the manifest's own record: most snapshots are one record. Keys carry the writer
    and a number, and none is used twice: a worker that is paused while it removes snapshots removes those that it had seen, and none
    that was written since.

    Whoever wrote it, a snapshot is the right state for the position that it names, so the furthest is the best, of equal ones that
    with the greater name. The newest one may turn out to be damaged, so a writer keeps its snapshot before the newest, too, or the one
    that it took the shard up from; it removes those behind that one, and the best one is removed by nobody.

    Anybody who may write the topic may put a manifest there. Under this writer's name it is removed with the next snapshot: a process has a
    name of its own, and knows what it has written. Under another name it is removed once it is behind. One that names a position that
    the log has not come to stays, since it may be of a worker that is ahead of this one; each recovery reads the first of its parts, and
    passes it by. So does one whose key or manifest cannot be read, which is no more than listed.

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
            await self._remove(partition, self._removable(partition, previous or (position, place)))

    def keep(self, partition: int, position: int, place: str) -> None:
        """Keep this snapshot until there are two better ones of this writer: the shard was taken up from it."""
        self._previous[partition] = position, place

    def found(self, partition: int) -> Iterator[Found]:
        """The snapshots there are, the furthest first; whether one is whole is known when it is read. In any thread; StoreError as for `Found`."""
        get = partial(self._get, partition)
        try:
            ordered = sorted(self._manifests(partition), reverse=True)
        except KeyError:
            raise self._closed(partition) from None
        for position, place in ordered:
            yield Found(position, place, get)

    def load(self, partition: int) -> tuple[int, bytes] | None:
        """The position and the bytes of the furthest snapshot that is whole, or None."""
        for found in self.found(partition):
            with contextlib.suppress(DamagedError):
                return found.position, found.read()
        return None

    def _get(self, partition: int, key: bytes) -> bytes | None:
        try:
            return self.table.get(partition, key)
        except KeyError:
            raise self._closed(partition) from None

    def _closed(self, partition: int) -> StoreError:
        return StoreError(f"the snapshots of shard {partition} were closed meanwhile.", "They are opened again.")

    def _manifests(self, partition: int) -> Iterator[tuple[int, str]]:
        """Position and place of each snapshot that has a manifest."""
        for key, value in self.table.items(partition, b"manifest/"):
            place = key.removeprefix(b"manifest/").decode(errors="replace")
            if not PLACE(place):
                self._report(partition, place, "its key is not one that a worker gives")
                continue
            try:
                manifest = decode_manifest(value.partition(b"\n")[0])
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._report(partition, place, f"its manifest cannot be read: {error}")
                continue
            yield manifest.position, place

    def _report(self, partition: int, place: str, why: str) -> None:
        """Say once that a snapshot is passed by."""
        if (partition, place) not in self._reported:
            self._reported.add((partition, place))
            log.warning("a snapshot is passed by", partition=partition, snapshot=place, why=why)

    def _removable(self, partition: int, best: tuple[int, str]) -> set[str]:
        """The snapshots of other writers that are worse than this one, and those under this writer's name that it has not written."""
        kept = {*self._written[partition], best[1]}
        return {
            place
            for position, place in self._manifests(partition)
            if (place not in kept if place.startswith(f"{self.writer}/") else (position, place) < best)
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


def _chunks(size: int) -> int:
    """Chunks beside the last one of a snapshot of so many bytes."""
    return max(size - 1, 0) // CHUNK_MAX
