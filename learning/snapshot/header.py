"""The header of a snapshot: it names the shard, the configuration and the library versions of the state."""

import hashlib
import platform
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import river

from headrace.learning.errors import DamagedError, SnapshotError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Task

FORMAT = 11
"""The version of the format; it goes up by one when the state, the header or the snapshot changes its layout."""

MAGIC = b"HEADRACE"
START = len(MAGIC) + 2 + 4
"""The number of bytes before the header: the magic, the format and the header's length."""

SUM = 32
"""The number of bytes of a SHA-256 or an HMAC-SHA256."""

HEADER_MAX = 64 << 10
"""The most bytes of a header."""

POSITION_MAX = 2**63 - 1

Sum = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]

REPLAY = "Delete the topics <task>.snapshots and <task>.pending, and let the worker replay the log."

LIBRARIES = {
    "numpy": ".".join(np.__version__.split(".")[:2]),
    "python": ".".join(platform.python_version_tuple()[:2]),
    "river": river.__version__,
}
"""The versions to which a snapshot is bound, as far as they decide what a model computes."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The header of a snapshot, which is checked before the state is decompressed.

    Parameters
    ----------
    format
        The version of the format.
    task, kind, partition
        The name and the kind of the task, and the shard.
    fingerprint
        The fingerprint of the definition by which the state was folded last.
    libraries
        The libraries that a model computes with, and their versions.
    position
        The offset of the next message to fold.
    digest
        The SHA-256 (hex) of the state's encoding.
    size
        The number of bytes of the state's encoding.
    answers
        The digest of the predictions of the state's arms for its probes.
    writer
        The name of the process that took the snapshot.
    signed
        Whether an HMAC stands before the payload.
    packed
        The number of bytes of the payload, which is the compressed encoding.
    sha256
        The SHA-256 (hex) of the payload.
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
        """Raise SnapshotError unless the snapshot is of this task and shard, this configuration and these library versions."""
        compare("task", self.task, task.name, "Give each task a topic and a folder of its own.")
        compare("kind", self.kind, task.kind, REPLAY)
        compare("shard", self.partition, partition, REPLAY)
        for name in sorted(LIBRARIES.keys() | self.libraries.keys()):
            there = self.libraries.get(name)
            remedy = f"Install {name} {there}, or: {REPLAY}" if there else REPLAY
            compare(f"{name} version", there, LIBRARIES.get(name), remedy)


class Parts(NamedTuple):
    """The parts of a snapshot: the header; the bytes up to and with the header's SHA-256; the HMAC, which may be empty; the payload."""

    header: Header
    head: bytes
    tag: bytes
    payload: bytes


def compare(what: str, actual: object, wanted: object, remedy: str) -> None:
    """Raise SnapshotError, naming both values, unless they are equal."""
    if actual != wanted:
        raise SnapshotError(f"the snapshot's {what} is {actual}, not {wanted}.", remedy)


def join(header: Header) -> bytes:
    """Encode the head of a snapshot: magic, format, length of the header, the header as JSON, and the SHA-256 of all these."""
    content = msgspec.json.encode(header)
    head = MAGIC + FORMAT.to_bytes(2, "big") + len(content).to_bytes(4, "big") + content
    return head + hashlib.sha256(head).digest()


def split(data: bytes) -> Parts:
    """Split a snapshot into its parts; the payload may be missing.

    Raises
    ------
    DamagedError
        The header is damaged or missing.
    SnapshotError
        The snapshot has another format.
    """
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
        raise DamagedError(f"the snapshot's header cannot be decoded: {plain_failure(error)}.", REPLAY) from None
    begin = end + SUM + (SUM if header.signed else 0)
    return Parts(header, data[: end + SUM], data[end + SUM : begin], data[begin:])
