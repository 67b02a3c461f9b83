"""A segment: pending entries that are written together, as one record of the changelog `<task>.pending`."""

import hmac
from itertools import pairwise
from typing import Annotated

import msgspec
import zstandard

from headrace.learning.plain import plain_failure
from headrace.learning.signing import derive
from headrace.learning.snapshot.header import SUM
from headrace.learning.waiting.join import ENTRY_MAX
from headrace.learning.waiting.join import decode as decode_entry
from headrace.learning.waiting.pending import PendingEntry

SEGMENT_MAX = 256 * 1024
"""The bytes of entries, as `size_of` counts them, after which a segment is written. The last entry may have as much again; a broker accepts
1 MB."""

ROOM = 64
"""The bytes that an entry counts in addition to its id and content: up to 20 for its framing, the rest for the time that reading it takes."""

ENTRIES_MAX = SEGMENT_MAX // ROOM
"""The most entries of a segment: 4,096, because each counts at least `ROOM`. Reading as many blocks a worker's event loop for some tens of
milliseconds."""

PACKED_MAX = SEGMENT_MAX + ENTRY_MAX + 4096
"""The most bytes of a segment before it is compressed. All entries but the last have less than `SEGMENT_MAX`, and the last one up to
`ENTRY_MAX`; the rest is for the last entry's id (256 characters, up to 1,024 bytes), the fingerprint (64) and the framing."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Entries in the order of their steps, with the fingerprint of the task that wrote them; `clock` is the log time of the last one."""

    fold: str
    clock: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    entries: Annotated[list[PendingEntry], msgspec.Meta(max_length=ENTRIES_MAX)]


decode = msgspec.msgpack.Decoder(Segment).decode
encode = msgspec.msgpack.Encoder().encode


class SegmentError(Exception):
    """A record of the pending topic is no segment of this shard, or no worker has signed it; the message says why."""


def size_of(entry: PendingEntry) -> int:
    """Return the bytes that an entry counts towards `SEGMENT_MAX`."""
    return len(entry.content) + len(entry.id.encode()) + ROOM


class Packer:
    """Encodes segments as values of records and decodes them; signs them if there is a snapshot key.

    A value is a Zstandard frame, with an HMAC-SHA256 before it if there is a key. The HMAC covers the task, the partition and the record's
    key too, so a copy of the value under another key is refused.

    Parameters
    ----------
    task
        The name of the task.
    snapshot_key
        The snapshot key, or None. Segments are signed with a key derived from it.

    Examples
    --------
    >>> packer, content = Packer("ads", b"k" * 32), msgspec.msgpack.encode([2, 17, 1, 3])
    >>> value = packer.pack(0, b"one/1", Segment("a", 17, [PendingEntry(3, "q", content)]))
    >>> packer.unpack(0, b"one/1", value).entries[0].id
    'q'
    >>> packer.unpack(1, b"one/1", value)
    Traceback (most recent call last):
    ...
    headrace.tables.segment.SegmentError: it is not signed with the snapshot key for this place
    """

    def __init__(self, task: str, snapshot_key: bytes | None):
        self.task = task
        self._key = None if snapshot_key is None else derive(snapshot_key, "pending")

    def pack(self, partition: int, key: bytes, segment: Segment) -> bytes:
        """Encode a segment as the value of the record with this key."""
        frame = zstandard.compress(encode(segment), 1)
        return self._sign(partition, key, frame) + frame

    def unpack(self, partition: int, key: bytes, value: bytes) -> Segment:
        """Decode the segment in a record. The signature and the size are checked before anything is decompressed.

        Raises
        ------
        SegmentError
            The record is no segment for this place, or is not signed with the key.
        """
        size = 0 if self._key is None else SUM
        tag, frame = value[:size], value[size:]
        if not hmac.compare_digest(tag, self._sign(partition, key, frame)):
            raise SegmentError("it is not signed with the snapshot key for this place")
        try:
            segment = decode(_inflated(frame))
            for entry in segment.entries:
                decode_entry(entry.content)
        except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SegmentError(f"it cannot be decoded: {plain_failure(error)}") from None
        steps = [entry.step for entry in segment.entries]
        if any(step >= following for step, following in pairwise(steps)):
            raise SegmentError("its entries are not in the order of their steps")
        return segment

    def mark(self, fold: str) -> bytes:
        """Return the mark of a database that was filled with segments of this fingerprint, signed with this key if there is one."""
        return fold.encode() if self._key is None else hmac.digest(self._key, fold.encode(), "sha256")

    def _sign(self, partition: int, key: bytes, frame: bytes) -> bytes:
        if self._key is None:
            return b""
        place = b"%b\0%d\0%d\0%b" % (self.task.encode(), partition, len(key), key)
        return hmac.digest(self._key, place + frame, "sha256")


def _inflated(frame: bytes) -> bytes:
    size = zstandard.frame_content_size(frame)
    if not 0 <= size <= PACKED_MAX:
        claim = "a size that it does not tell" if size < 0 else f"{size:,} bytes"
        raise SegmentError(f"it has {claim}, and at most {PACKED_MAX:,} are read")
    inflated: bytes = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
    return inflated
