"""A segment: entries of the join that were written together, as one record of the changelog `<task>.pending`."""

import hmac
from itertools import pairwise
from typing import Annotated

import msgspec
import zstandard

from headrace.learning.signing import derive
from headrace.learning.snapshot.header import SUM
from headrace.learning.waiting.join import ENTRY_MAX
from headrace.learning.waiting.join import decode as decode_entry
from headrace.learning.waiting.pending import Waiting

SEGMENT_MAX = 256 * 1024
"""Bytes of entries, as `size_of` counts them, after which a segment is written. The last entry may take as much again, and a broker takes 1 MB."""

ROOM = 64
"""Bytes that an entry counts beside its id and its own bytes. Its framing takes up to 20; the rest stands for the time that even the smallest takes."""

ENTRIES_MAX = SEGMENT_MAX // ROOM
"""Entries of a segment: 4,096, for each counts `ROOM` at least. A worker that reads so many holds up its loop for some tens of milliseconds."""

PACKED_MAX = SEGMENT_MAX + ENTRY_MAX + 4096
"""Bytes of a segment before it is compressed: all entries but the last have less than `SEGMENT_MAX`, and the last one up to `ENTRY_MAX`; the
rest is for the last one's id (256 characters, up to 1,024 bytes), the fold (64) and the framing."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """Entries of a fold of this configuration, in the order of their steps; `clock` is the log time of the last one."""

    fold: str
    clock: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    entries: Annotated[list[Waiting], msgspec.Meta(max_length=ENTRIES_MAX)]


decode = msgspec.msgpack.Decoder(Segment).decode
encode = msgspec.msgpack.Encoder().encode


class SegmentError(Exception):
    """A record of the pending topic that is no segment of this shard, or was not signed by a worker, and why."""


def size_of(waiting: Waiting) -> int:
    """What an entry counts towards `SEGMENT_MAX`, in bytes."""
    return len(waiting.entry) + len(waiting.id.encode()) + ROOM


class Packer:
    """Turns segments into records and back; signs them where there is a snapshot key.

    A record is a Zstandard frame, after an HMAC-SHA256 if there is a key. The HMAC binds the frame to its task, its partition and the record's key, so a
    record that a worker has written cannot stand elsewhere.

    Parameters
    ----------
    task
        The name of the task.
    key
        The snapshot key, or None. Segments are signed with a key derived from it.

    Examples
    --------
    >>> packer, entry = Packer("ads", b"k" * 32), msgspec.msgpack.encode([2, 17, 1, 3])
    >>> value = packer.pack(0, b"one/1", Segment("a", 17, [Waiting(3, "q", entry)]))
    >>> packer.unpack(0, b"one/1", value).entries[0].id
    'q'
    >>> packer.unpack(1, b"one/1", value)
    Traceback (most recent call last):
    ...
    headrace.tables.segment.SegmentError: it is not signed with the snapshot key for this place
    """

    def __init__(self, task: str, key: bytes | None):
        self.task = task
        self._key = None if key is None else derive(key, "pending")

    def pack(self, partition: int, key: bytes, segment: Segment) -> bytes:
        """The value of a segment's record under this key."""
        frame = zstandard.compress(encode(segment), 1)
        return self._sign(partition, key, frame) + frame

    def unpack(self, partition: int, key: bytes, value: bytes) -> Segment:
        """The segment in a record; SegmentError unless it is one. Nothing is inflated before its signature and its size are known to be right."""
        size = 0 if self._key is None else SUM
        tag, frame = value[:size], value[size:]
        if not hmac.compare_digest(tag, self._sign(partition, key, frame)):
            raise SegmentError("it is not signed with the snapshot key for this place")
        try:
            segment = decode(_inflated(frame))
            for waiting in segment.entries:
                decode_entry(waiting.entry)
        except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise SegmentError(f"it cannot be decoded: {error}") from None
        steps = [waiting.step for waiting in segment.entries]
        if any(step >= following for step, following in pairwise(steps)):
            raise SegmentError("its entries are not in the order of their steps")
        return segment

    def mark(self, fold: str) -> bytes:
        """Stands for what a database was filled with: segments of this fold, and with this key if there is one."""
        return fold.encode() if self._key is None else hmac.digest(self._key, fold.encode(), "sha256")

    def _sign(self, partition: int, key: bytes, frame: bytes) -> bytes:
        if self._key is None:
            return b""
        place = b"%b\0%d\0%d\0%b" % (self.task.encode(), partition, len(key), key)
        return hmac.digest(self._key, place + frame, "sha256")


def _inflated(frame: bytes) -> bytes:
    size = zstandard.frame_content_size(frame)
    if not 0 <= size <= PACKED_MAX:
        told = "a size that it does not tell" if size < 0 else f"{size:,} bytes"
        raise SegmentError(f"it has {told}, and at most {PACKED_MAX:,} are read")
    inflated: bytes = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size)
    return inflated
