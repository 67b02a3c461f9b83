"""The files in which Kafka keeps a partition: what a broker that lost its newest writes comes back with.

A segment is a sequence of batches; each begins with its base offset (8 bytes) and the length of what follows (4 bytes), and has the
number of its last record, relative to the base, at byte 23. See https://kafka.apache.org/documentation/#recordbatch
"""

import random
import struct
from pathlib import Path
from typing import NamedTuple

HEAD = 12
LAST_OFFSET_DELTA = 23


class Batch(NamedTuple):
    """Where a batch lies in its segment, and the offsets that it takes: `[first, end)`."""

    start: int
    size: int
    first: int
    end: int


class Lost(NamedTuple):
    """What a partition has lost: the offsets `[end, was)`."""

    end: int
    was: int

    def __str__(self) -> str:
        return f"ends at {self.end}, not {self.was}"


def batches(segment: Path) -> list[Batch]:
    """The whole batches of a segment."""
    data, at, found = segment.read_bytes(), 0, []
    while at + HEAD + LAST_OFFSET_DELTA <= len(data):
        first, length = struct.unpack_from(">qi", data, at)
        if length <= 0 or at + HEAD + length > len(data):
            break
        (delta,) = struct.unpack_from(">i", data, at + LAST_OFFSET_DELTA)
        found.append(Batch(at, HEAD + length, first, first + delta + 1))
        at += HEAD + length
    return found


def lose_tail(folder: Path, share: float, dice: random.Random) -> Lost | None:
    """Cut about a share of the records off the newest segment of a partition's folder; None when there is nothing to cut.

    Now and then half a batch is left, as a write that was under way leaves it. The broker must be down, and must have been killed: it
    then looks through the segment when it starts, and makes its indexes anew.
    """
    for segment in sorted(folder.glob("*.log"), reverse=True):
        found = batches(segment)
        if not found:
            continue
        first, was = found[0].first, found[-1].end
        keep = was - max(1, int((was - first) * share))
        cut = next(batch for batch in found if batch.end > keep)
        with segment.open("r+b") as file:
            file.truncate(cut.start + (cut.size // 2 if dice.random() < 0.3 else 0))
        for index in folder.glob(f"{segment.stem}.*index"):
            index.unlink()
        return Lost(cut.first, was)
    return None
