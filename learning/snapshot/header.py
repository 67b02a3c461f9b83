"""The header of a snapshot: whose state it is, and what made it."""

import hashlib
import platform
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import river

from headrace.learning.errors import DamagedError, SnapshotError
from headrace.learning.task import Task

FORMAT = 4
"""Raised by one whenever the shape of the state, of the header or of the snapshot changes."""

MAGIC = b"HEADRACE"
START = len(MAGIC) + 2 + 4
"""Bytes before the header: the magic, the format, the header's length."""

SUM = 32
"""Bytes of a SHA-256 or an HMAC-SHA256."""

HEADER_MAX = 64 << 10
"""Bytes that a header may have."""

POSITION_MAX = 2**63 - 1

Sum = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

REPLAY = "Delete the topics <task>.snapshots and <task>.pending, and let the worker replay the log."

LIBRARIES = {
    "numpy": ".".join(np.__version__.split(".")[:2]),
    "python": ".".join(platform.python_version_tuple()[:2]),
    "river": river.__version__,
}
"""The versions that a snapshot is bound to, as far as they decide what a model computes."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a snapshot says of itself.

    Parameters
    ----------
    format
        Of the state's shape.
    task, kind, partition
        Whose state it is.
    fingerprint
        Of the task's configuration.
    libraries
        Name to version of what a model computes with.
    position
        The offset of the next message to fold.
    digest, size
        Of the state: the SHA-256 (hex) of its encoding, and how many bytes that has.
    answers
        The digest of what the state's arms answer to its probes.
    writer
        The process that took it.
    signed
        Whether an HMAC stands before the payload.
    packed, sha256
        Of the payload, which is the encoding compressed: bytes, hex.
    """

    format: int
    task: str
    kind: str
    partition: int
    fingerprint: str
    libraries: dict[str, str]
    position: Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]
    digest: Sum
    size: Annotated[int, msgspec.Meta(ge=1)]
    answers: Sum
    writer: str
    signed: bool
    packed: Annotated[int, msgspec.Meta(ge=1)]
    sha256: Sum

    def check(self, task: Task, partition: int) -> None:
        """Raise SnapshotError, naming both sides, unless this is a snapshot of that shard, by makers like these."""
        compare("task", self.task, task.name, "Give each task a topic and a folder of its own.")
        compare("kind", self.kind, task.kind, REPLAY)
        compare("shard", self.partition, partition, REPLAY)
        if self.fingerprint != task.fingerprint:
            what = (
                f"the snapshot's configuration of the task is {self.fingerprint[:16]}, not {task.fingerprint[:16]}:"
                " its model, features, labels or policies were changed."
            )
            raise SnapshotError(what, f"Take the change back, or give the changed task another name. Or: {REPLAY}")
        for name in sorted(LIBRARIES.keys() | self.libraries.keys()):
            there = self.libraries.get(name)
            remedy = f"Install {name} {there}, or: {REPLAY}" if there else REPLAY
            compare(f"{name} version", there, LIBRARIES.get(name), remedy)


class Parts(NamedTuple):
    """A snapshot in its parts: the header, its bytes with all before them and their sum, the HMAC if there is one, the payload."""

    header: Header
    head: bytes
    tag: bytes
    payload: bytes


def compare(what: str, found: object, wanted: object, remedy: str) -> None:
    """Raise SnapshotError unless the two are equal."""
    if found != wanted:
        raise SnapshotError(f"the snapshot's {what} is {found}, not {wanted}.", remedy)


def join(header: Header) -> bytes:
    """The first part of a snapshot: magic, format, the header's length, the header as JSON, the SHA-256 of all these."""
    told = msgspec.json.encode(header)
    head = MAGIC + FORMAT.to_bytes(2, "big") + len(told).to_bytes(4, "big") + told
    return head + hashlib.sha256(head).digest()


def split(data: bytes) -> Parts:
    """The parts of a snapshot; DamagedError when its header is not whole, SnapshotError when it is of another format."""
    if data[: len(MAGIC)] != MAGIC or len(data) < START:
        raise DamagedError("this is not a snapshot, or its beginning is damaged.", REPLAY)
    compare(
        "format",
        int.from_bytes(data[len(MAGIC) : START - 4], "big"),
        FORMAT,
        f"Use the program that wrote it. {REPLAY}",
    )
    end = START + int.from_bytes(data[START - 4 : START], "big")
    if end > START + HEADER_MAX or hashlib.sha256(data[:end]).digest() != data[end : end + SUM]:
        raise DamagedError("the snapshot's header is damaged.", REPLAY)
    try:
        header = msgspec.json.decode(data[START:end], type=Header)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DamagedError(f"the snapshot's header is no header: {error}.", REPLAY) from None
    begin = end + SUM + (SUM if header.signed else 0)
    return Parts(header, data[: end + SUM], data[end + SUM : begin], data[begin:])
