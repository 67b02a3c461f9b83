"""Snapshots: a learner's whole state as bytes, by shard; the furthest one is the one to go on from."""

import hashlib
import re
from collections.abc import Iterator

import msgspec
import zstandard

from tables.changelog import CHUNK_MAX
from tables.table import Table

SLOTS = 2
"""Snapshots of one writer that stand side by side: the older one is whole until the newer one is."""


class Manifest(msgspec.Struct, frozen=True):
    """What belongs to one snapshot: its position, its chunks, and the SHA-256 (hex) of them all."""

    position: int
    chunks: int
    sha256: str


class Snapshots:
    """The snapshots of one task.

    A snapshot is compressed and cut into chunks that a broker takes; the manifest is written last, so a snapshot is there as a
    whole or not at all. Its last chunk travels in the manifest's own record: most snapshots are one record. Keys carry the writer,
    so writers never overwrite each other's. Whoever wrote it, a snapshot is the right state for the position that it names, so
    the furthest is the best; a writer removes those of others that lie behind its own.

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
        self._slots: dict[int, int] = {}

    async def save(self, partition: int, position: int, snapshot: bytes) -> None:
        """Write one snapshot; it is durable when this returns."""
        slot = (self._slots.get(partition, 0) + 1) % SLOTS
        place = f"{self.writer}/{slot}"
        data = zstandard.compress(snapshot, 1)
        *chunks, last = [data[at : at + CHUNK_MAX] for at in range(0, len(data), CHUNK_MAX)] or [b""]
        for number, chunk in enumerate(chunks):
            await self.table.put(partition, _chunk_key(place, number), chunk)
        manifest = Manifest(position, len(chunks), hashlib.sha256(data).hexdigest())
        await self.table.put(partition, _manifest_key(place), msgspec.json.encode(manifest) + b"\n" + last)
        is_first = partition not in self._slots
        self._slots[partition] = slot  # not before: what was left torn is written over first
        if partition in self.table.opened():
            await self._remove_stale(partition, position)
            if is_first:
                await self._remove_torn(partition)

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

    async def _remove_stale(self, partition: int, position: int) -> None:
        mine = f"{self.writer}/"
        for place, manifest, _ in list(self._manifests(partition)):
            if not place.startswith(mine) and manifest.position <= position:
                await self.table.put(partition, _manifest_key(place), None)
                for number in range(manifest.chunks):
                    await self.table.put(partition, _chunk_key(place, number), None)

    async def _remove_torn(self, partition: int) -> None:
        """Remove the chunks that no manifest counts: of writers that were ended amid a snapshot, or whose snapshots grew smaller.

        If one of them is alive after all and has just begun, its snapshot is torn, and passed over by whoever loads.
        """
        counted = {place: manifest.chunks for place, manifest, _ in self._manifests(partition)}
        for key in [key for key, _ in self.table.items(partition, b"chunk/")]:
            place, number = key.decode().removeprefix("chunk/").rsplit("/", 1)
            if int(number) >= counted.get(place, 0):
                await self.table.put(partition, key, None)


def _manifest_key(place: str) -> bytes:
    return f"manifest/{place}".encode()


def _chunk_key(place: str, number: int) -> bytes:
    return f"chunk/{place}/{number:05}".encode()
