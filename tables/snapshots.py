"""Snapshots: the whole state of a learner as bytes, by shard. Recovery uses the one with the furthest position."""

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
from headrace.learning.plain import plain_failure
from headrace.learning.snapshot.header import HEADER_MAX, POSITION_MAX, START, SUM, Header, split
from headrace.tables.changelog import CHUNK_MAX
from headrace.tables.table import Table

log = structlog.get_logger()

PACKED_MAX = SIZE + (SIZE >> 8) + 64
"""The most bytes of a compressed state, for a state that Zstandard cannot shrink: ZSTD_compressBound."""

CHUNKS_MAX = (START + HEADER_MAX + 2 * SUM + PACKED_MAX) // CHUNK_MAX
"""The most chunks of a snapshot, not counting the last one, which is in the manifest's record."""

NOT_ITS_PARTS = "the snapshot's parts are not those that its manifest names."

PLACE = re.compile(r"[A-Za-z0-9._-]+/[0-9]{12}").fullmatch
"""The place of a snapshot, which is part of its keys: its writer and a number."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The manifest of a snapshot: its position, the number of its chunks, and the SHA-256 (hex) of all of them together."""

    position: Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]
    chunks: Annotated[int, msgspec.Meta(ge=0, le=CHUNKS_MAX)]
    sha256: str


decode_manifest = msgspec.json.Decoder(Manifest).decode


class StoredSnapshot(NamedTuple):
    """A snapshot in the table: the position in its manifest, and its place. The content stays in the database until it is read.

    `read_header` and `read` may be called in any thread. Anyone who can write the topic may have written the snapshot, so each part is
    fetched only after the earlier parts were checked. Both methods raise

    - StoreError if the database fails, or was closed meanwhile;
    - DamagedError if the parts do not match the manifest: they are damaged, or their writer was killed while it removed them;
    - SnapshotError if the snapshot has another format.
    """

    position: int
    place: str
    get: Callable[[bytes], bytes | None]

    def read_header(self) -> Header:
        """Return the header, fetching only the first chunk and the manifest."""
        return self._begin()[0]

    def read(self) -> bytes:
        """Return the bytes of the snapshot, which takes some time for a large one."""
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
        """Fetch the header, the manifest, the first chunk and the last, and check that they agree on the number and sizes of chunks."""
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

    A snapshot is cut into chunks that a broker accepts. The manifest is written last, so a snapshot exists as a whole or not at all. The
    last chunk is in the manifest's record, so most snapshots are one record. Keys hold the writer and a number, and no key is used twice:
    a worker that was paused while it removed snapshots removes only those that it had seen before.

    Every snapshot is the right state for its position, whoever wrote it. So the furthest snapshot is the best one; of several with the same
    position, the one with the greater place. The newest snapshot may turn out to be damaged, so a writer also keeps the one before it, or
    the one from which it recovered the shard. It removes the snapshots behind that one. No writer removes the best snapshot.

    Anyone who can write the topic may write a manifest there. A manifest under this writer's name is removed with the next snapshot,
    because the process knows what it has written. A manifest under another name is removed once its position is behind. A manifest with a
    position that the log has not reached stays, because it may belong to a worker that is ahead; each recovery reads its first chunk and
    ignores the snapshot. A snapshot whose key or manifest cannot be read stays too, and is only listed.

    Parameters
    ----------
    table
        The table that holds the snapshots.
    writer
        A name that no other process has or had: letters, digits, `.`, `_` and `-`.
    """

    def __init__(self, table: Table, writer: str):
        if not re.fullmatch(r"[A-Za-z0-9._-]+", writer):
            msg = f"writer {writer!r} is not made of letters, digits, '.', '_' and '-'"
            raise ValueError(msg)
        self.table = table
        self.writer = writer
        self._count = 0
        self._written: dict[int, set[str]] = {}  # by shard: places that this process has begun to write and not removed
        self._previous: dict[int, tuple[int, str]] = {}  # by shard: position and place of the snapshot that must stay
        self._reported: set[tuple[int, str]] = set()

    async def save(self, partition: int, position: int, snapshot: bytes) -> None:
        """Write one snapshot, wait until it is durable, and remove the snapshots that are no longer needed."""
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
        """Keep a snapshot until this writer has two better ones; called for the snapshot from which a shard was recovered."""
        self._previous[partition] = position, place

    def furthest_first(self, partition: int) -> Iterator[StoredSnapshot]:
        """Yield the snapshots of a shard, the furthest first; may be called in any thread. Only reading one shows whether it is whole.

        Raises
        ------
        StoreError
            The database failed, or was closed meanwhile.
        """
        get = partial(self._get, partition)
        try:
            ordered = sorted(self._manifests(partition), reverse=True)
        except KeyError:
            raise self._closed(partition) from None
        for position, place in ordered:
            yield StoredSnapshot(position, place, get)

    def load(self, partition: int) -> tuple[int, bytes] | None:
        """Return the position and the bytes of the furthest snapshot that is whole, or None."""
        for snapshot in self.furthest_first(partition):
            with contextlib.suppress(DamagedError):
                return snapshot.position, snapshot.read()
        return None

    def _get(self, partition: int, key: bytes) -> bytes | None:
        try:
            return self.table.get(partition, key)
        except KeyError:
            raise self._closed(partition) from None

    def _closed(self, partition: int) -> StoreError:
        return StoreError(f"the snapshots of shard {partition} were closed meanwhile.", "They are opened again.")

    def _manifests(self, partition: int) -> Iterator[tuple[int, str]]:
        """Yield the position and the place of each snapshot that has a manifest."""
        for key, value in self.table.items(partition, b"manifest/"):
            place = key.removeprefix(b"manifest/").decode(errors="replace")
            if not PLACE(place):
                self._report(partition, place, "its key is not one that a worker gives")
                continue
            try:
                manifest = decode_manifest(value.partition(b"\n")[0])
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._report(partition, place, f"its manifest cannot be read: {plain_failure(error)}")
                continue
            yield manifest.position, place

    def _report(self, partition: int, place: str, why: str) -> None:
        """Log, once for each snapshot, that it is ignored."""
        if (partition, place) not in self._reported:
            self._reported.add((partition, place))
            log.warning("a snapshot is passed by", partition=partition, snapshot=place, why=why)

    def _removable(self, partition: int, best: tuple[int, str]) -> set[str]:
        """Return the places of other writers' snapshots that are worse than `best`, and of forged ones under this writer's name."""
        kept = {*self._written[partition], best[1]}
        return {
            place
            for position, place in self._manifests(partition)
            if (place not in kept if place.startswith(f"{self.writer}/") else (position, place) < best)
        }

    async def _remove(self, partition: int, places: Collection[str]) -> None:
        """Remove the manifest and all existing chunks of each snapshot, whatever number of chunks the manifest names."""
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
    """Return the number of chunks of a snapshot of so many bytes, not counting the last one."""
    return max(size - 1, 0) // CHUNK_MAX
