"""Snapshots: a learner's whole state as bytes, by shard; the furthest one is the one to go on from."""

import hashlib
import re
from collections.abc import Iterator

import msgspec
import zstandard

from tables.changelog import CHUNK_MAX
from tables.table import Table


class Manifest(msgspec.Struct, frozen=True):
    """What belongs to one snapshot: its position, its chunks, and the SHA-256 (hex) of them all."""

    position: int
    chunks: int
    sha256: str


class Snapshots:
    """The snapshots of one task.

    A snapshot is compressed and cut into chunks that a broker takes; the manifest is written last, so a snapshot is there as a
    whole or not at all. Its last chunk travels in the manifest's own record: most snapshots are one record. Keys carry the writer
    and a number, and none is used twice: what a worker removes that was paused in the middle of it is what it had seen, and nothing
    that was written since. Whoever wrote it, a snapshot is the right state for the position that it names, so the furthest is the
    best, of equal ones that with the greater name. A writer removes those behind its own, so the best one is removed by nobody.

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
        self._written: dict[
            int, dict[str, int]
        ] = {}  # by shard: what was begun here and is not removed yet, with its chunks

    async def save(self, partition: int, position: int, snapshot: bytes) -> None:
        """Write one snapshot; it is durable when this returns."""
        self._count += 1
        place = f"{self.writer}/{self._count:012}"
        data = zstandard.compress(snapshot, 1)
        *chunks, last = [data[at : at + CHUNK_MAX] for at in range(0, len(data), CHUNK_MAX)] or [b""]
        written = self._written.setdefault(partition, {})
        older = list(written)[:-1]  # the one before stays: a replica may be reading it
        written[place] = len(chunks)
        for number, chunk in enumerate(chunks):
            await self.table.put(partition, _chunk_key(place, number), chunk)
        manifest = Manifest(position, len(chunks), hashlib.sha256(data).hexdigest())
        await self.table.put(partition, _manifest_key(place), msgspec.json.encode(manifest) + b"\n" + last)
        if partition in self.table.opened():
            await self._remove(partition, {name: written[name] for name in older})
            await self._remove(partition, self._behind(partition, position, place))

    def load(self, partition: int) -> tuple[int, bytes] | None:
        """The position and the bytes of the furthest snapshot that is whole, or None."""
        found = sorted(self._manifests(partition), key=lambda entry: (-entry[1].position, entry[0]))
        for place, manifest, last in found:
            parts = [self.table.get(partition, _chunk_key(place, number)) for number in range(manifest.chunks)]
            data = b"".join(part or b"" for part in parts) + last
            # A crash between two chunks leaves the manifest of the slot's last tenant with chunks that are not its own.
            if hashlib.sha256(data).hexdigest() == manifest.sha256:
                return manifest.position, zstandard.decompress(data)
        return None

    def _manifests(self, partition: int) -> Iterator[tuple[str, Manifest, bytes]]:
        for key, value in self.table.items(partition, b"manifest/"):
            head, last = value.split(b"\n", 1)
            yield key.decode().removeprefix("manifest/"), msgspec.json.decode(head, type=Manifest), last

    def _behind(self, partition: int, position: int, place: str) -> dict[str, int]:
        """The snapshots of other writers that are worse than this one, with their chunks."""
        return {
            name: manifest.chunks
            for name, manifest, _ in self._manifests(partition)
            if not name.startswith(f"{self.writer}/") and (manifest.position, name) < (position, place)
        }

    async def _remove(self, partition: int, places: dict[str, int]) -> None:
        for place, chunks in places.items():
            await self.table.put(partition, _manifest_key(place), None)
            for number in range(chunks):
                await self.table.put(partition, _chunk_key(place, number), None)
            self._written[partition].pop(place, None)


def _manifest_key(place: str) -> bytes:
    return f"manifest/{place}".encode()


def _chunk_key(place: str, number: int) -> bytes:
    return f"chunk/{place}/{number:05}".encode()
