"""Versions: the models of a task that were saved or made by jobs, as bytes, under the SHA-256 of their encodings."""

import asyncio
import hashlib
from collections import ChainMap
from collections.abc import Callable, Collection, Iterator
from contextlib import aclosing
from typing import Annotated, Any, NamedTuple

import msgspec
import zstandard

from headrace.learning.encoding import SIZE
from headrace.learning.snapshot.header import POSITION_MAX
from headrace.learning.supplies import InMemory
from headrace.tables.changelog import CHUNK_MAX, Changelog
from headrace.tables.mirror import Mirror
from headrace.tables.table import Table

LEVEL = 1
"""Of the compression by Zstandard, as for snapshots."""

CHUNKS_MAX = (SIZE + (SIZE >> 8) + 64) // CHUNK_MAX + 1
"""Chunks of the largest model that cannot be compressed."""

FOLD = "fold"
"""Who wrote a model: the fold, which saves the same again when it is folded again. For others see `made_for`."""


def made_for(name: str) -> str:
    """Name who wrote a model: somebody beside the fold, for the `install` of an id.

    Examples
    --------
    >>> made_for("retrain-7")
    'made-49c8d234352a3eec'
    """
    return f"made-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What belongs to one model.

    Parameters
    ----------
    position
        The position at which the fold saved it last, or up to which a job folded.
    size
        Bytes of the encoding.
    chunks
        Chunks of the encoding, compressed.
    """

    position: Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]
    size: Annotated[int, msgspec.Meta(ge=1, le=SIZE)]
    chunks: Annotated[int, msgspec.Meta(ge=1, le=CHUNKS_MAX)]


decode_manifest = msgspec.json.Decoder(Manifest).decode


class Held(NamedTuple):
    """A model in the table: its digest, and its manifest."""

    digest: str
    manifest: Manifest


def entries(digest: str, data: bytes, *, position: int, origin: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values that make up a model, in the order in which they must be written."""
    packed = zstandard.compress(data, LEVEL)
    chunks = [packed[at : at + CHUNK_MAX] for at in range(0, len(packed), CHUNK_MAX)]
    for number, chunk in enumerate(chunks):
        yield _chunk_key(origin, digest, number), chunk
    yield _manifest_key(origin, digest), msgspec.json.encode(Manifest(position, len(data), len(chunks)))


def put_together(get: Callable[[bytes], bytes | None], digest: str, origin: str) -> bytes | None:
    """Put a model together from its chunks; None if it is not there as a whole, or is not the one of this digest.

    Parameters
    ----------
    get
        Gives the value of a key.
    digest, origin
        Of the model.
    """
    manifest = _read_manifest(get(_manifest_key(origin, digest)))
    if manifest is None:
        return None
    return _assemble(digest, manifest, [get(_chunk_key(origin, digest, number)) for number in range(manifest.chunks)])


async def read_models(
    changelog: Changelog, partition: int, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], bytes]:
    """Read models that were made beside the fold straight from the changelog, without a database; those that are not there as a whole are left out.

    Parameters
    ----------
    changelog
        Of `<task>.versions`.
    partition
        The shard.
    wanted
        Of each model the id of its `install`, and the digest.

    Raises
    ------
    KafkaError, OSError
        The topic cannot be read.
    """
    values: dict[bytes, bytes] = {}
    await _collect(changelog, partition, 0, {digest for _, digest in wanted}, values)
    found = {(name, digest): put_together(values.get, digest, made_for(name)) for name, digest in wanted}
    return {key: data for key, data in found.items() if data is not None}


async def supply(
    artefacts: InMemory, changelog: Changelog, partition: int, wanted: Collection[tuple[str, str]]
) -> None:
    """Read those of these models that a fold in memory has not yet. Raises as `read_models` does."""
    if lacking := set(wanted) - artefacts.made.keys():
        artefacts.made |= await read_models(changelog, partition, lacking)


class ModelFinder:
    """Finds one model that the fold saved and that may still be on its way to the topic, for a process that is no worker: the databases are locked by theirs.

    Parameters
    ----------
    changelog, partition
        What is read.
    digest
        Of the model.
    """

    def __init__(self, changelog: Changelog, partition: int, digest: str):
        self.changelog, self.partition, self.digest = changelog, partition, digest
        self._values: dict[bytes, bytes] = {}
        self._following = 0

    async def find(self) -> bytes | None:
        """Read on from where it was read last time, to the end; None if the model is not there as a whole yet, or is not the one of this digest."""
        self._following = await _collect(self.changelog, self.partition, self._following, {self.digest}, self._values)
        return put_together(self._values.get, self.digest, FOLD)


async def _collect(
    changelog: Changelog, partition: int, following: int, digests: Collection[str], values: dict[bytes, bytes]
) -> int:
    """Collect the entries of some models from an offset to the end; return the offset to go on from."""
    wanted = {digest.encode() for digest in digests}
    async with aclosing(changelog.read(partition, following)) as found:
        async for entry in found:
            following = entry.offset + 1
            if entry.value is None:
                values.pop(entry.key, None)
            elif wanted.intersection(entry.key.split(b"/")[2:3]):
                values[entry.key] = entry.value
    return following


class VersionTable:
    """The models of one task, a shard each.

    A model is cut into chunks that a broker takes, and its manifest is written last: it is there as a whole, or not at all. Its key is
    its digest, so whoever writes it writes the same, and what was damaged or forged is not what is asked for. Manifests have a prefix of
    their own (`manifest/<origin>/<digest>` beside `chunk/<origin>/<digest>/<number>`), so that they are listed without a chunk being read.

    Parameters
    ----------
    table
        Where they are kept.
    mirror
        Where the owner of a shard copies each saved version to; None: nowhere.
    """

    def __init__(self, table: Table, mirror: Mirror | None = None):
        self.table, self.mirror = table, mirror

    async def put(self, partition: int, digest: str, data: bytes, *, position: int, origin: str) -> None:
        """Write a model; of one that is there, note the newer position. It is durable when this returns."""
        if self.get(partition, digest, origin) is not None:
            key = _manifest_key(origin, digest)
            manifest = _read_manifest(self.table.get(partition, key))
            if manifest is not None and manifest.position < position:
                # Or else `retain` would take it for one that was dropped.
                noted = msgspec.structs.replace(manifest, position=position)
                await self.table.put(partition, key, msgspec.json.encode(noted))
            return
        for key, value in entries(digest, data, position=position, origin=origin):
            await self.table.put(partition, key, value)

    def get(self, partition: int, digest: str, origin: str) -> bytes | None:
        """Read a model; None if it is not there as a whole, or is not the one of this digest.

        Raises
        ------
        StoreError
            The database failed.
        """
        return put_together(lambda key: self.table.get(partition, key), digest, origin)

    async def read(self, partition: int, digest: str) -> bytes | None:
        """Read a model that the fold saved, as `get` does, but let others in between the chunks, and while it is decompressed."""
        manifest = _read_manifest(self.table.get(partition, _manifest_key(FOLD, digest)))
        if manifest is None:
            return None
        chunks = []
        for number in range(manifest.chunks):
            chunks.append(self.table.get(partition, _chunk_key(FOLD, digest, number)))
            await asyncio.sleep(0)
        return await asyncio.to_thread(_assemble, digest, manifest, chunks)

    def held(self, partition: int) -> list[Held]:
        """List the models that the fold of a shard saved."""
        found = []
        for key, value in self.table.items(partition, prefix := _manifest_key(FOLD, "")):
            manifest = _read_manifest(value)
            if manifest is not None:
                found.append(Held(key.removeprefix(prefix).decode(errors="replace"), manifest))
        return found

    async def retain(self, partition: int, digests: Collection[str], before: int) -> None:
        """Remove the models that the fold saved last before a position, and that no index names any more.

        Whoever has folded up to that position has dropped them too, so that nobody needs them who goes on from there.

        Parameters
        ----------
        partition
            The shard.
        digests
            Those that stay; more may join them while this is under way.
        before
            The position of a snapshot that is durable, from which a shard would go on.
        """
        for digest, manifest in self.held(partition):
            if manifest.position < before and digest not in digests:
                for number in range(manifest.chunks):
                    await self.table.put(partition, _chunk_key(FOLD, digest, number), None)
                # Last: what a crash has left is found by its manifest, and removed by the next one.
                await self.table.put(partition, _manifest_key(FOLD, digest), None)


class ShardVersions:
    """The models of one shard as its learner and its saver use them: the artefacts of the learner.

    What the fold saves is at hand at once, and durable after `save`. A crash in between loses nothing: the fold, which goes on from a
    snapshot before it, saves the same again.

    Parameters
    ----------
    versions
        The table, in which the shard is open.
    partition
        The shard.
    """

    def __init__(self, versions: VersionTable, partition: int):
        self.versions, self.partition = versions, partition
        self._unsaved: dict[str, tuple[bytes, int]] = {}

    def get(self, digest: str, /) -> bytes | None:
        """Return a model that the fold saved; None if it is not there as a whole. StoreError if the database failed."""
        held = self._unsaved.get(digest)
        return held[0] if held is not None else self.versions.get(self.partition, digest, FOLD)

    def get_made(self, name: str, digest: str, /) -> bytes | None:
        """Return a model that was made beside the fold, for the `install` of an id; None and StoreError as for `get`."""
        return self.versions.get(self.partition, digest, made_for(name))

    async def have(self, digests: Collection[str]) -> bool:
        """Say whether all of these models, which the fold saved, are there as a whole. StoreError if the database failed."""
        return await asyncio.to_thread(lambda: all(self.get(digest) is not None for digest in digests))

    async def read(self, digest: str) -> bytes | None:
        """Return a model as `get` does, but let others in meanwhile."""
        held = self._unsaved.get(digest)
        return held[0] if held is not None else await self.versions.read(self.partition, digest)

    def put(self, digest: str, data: bytes, /, *, position: int) -> None:
        """Keep a model that the fold saved at this position."""
        self._unsaved[digest] = data, position

    async def save(self) -> None:
        """Write what the fold saved; it is durable when this returns."""
        for digest, unsaved in list(self._unsaved.items()):
            data, position = unsaved
            await self.versions.put(self.partition, digest, data, position=position, origin=FOLD)
            if self._unsaved.get(digest) is unsaved:  # or else the fold has saved it once more meanwhile
                del self._unsaved[digest]

    async def retain(self, digests: Collection[str], before: int) -> None:
        """Remove what the fold saved before a position and no index names any more, but nothing that the fold has saved again meanwhile.

        See `VersionTable.retain`.
        """
        staying: ChainMap[str, Any] = ChainMap(dict.fromkeys(digests), self._unsaved)
        await self.versions.retain(self.partition, staying, before)


def _assemble(digest: str, manifest: Manifest, chunks: list[bytes | None]) -> bytes | None:
    """Put the chunks of a model together; None if one is missing, or if it is not the model of this digest."""
    packed = b"".join(chunk for chunk in chunks if chunk is not None)
    try:
        if zstandard.frame_content_size(packed) != manifest.size:
            return None
        data: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=manifest.size)
    except zstandard.ZstdError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def _read_manifest(value: bytes | None) -> Manifest | None:
    try:
        return None if value is None else decode_manifest(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _manifest_key(origin: str, digest: str) -> bytes:
    return f"manifest/{origin}/{digest}".encode()


def _chunk_key(origin: str, digest: str, number: int) -> bytes:
    return f"chunk/{origin}/{digest}/{number:05}".encode()
