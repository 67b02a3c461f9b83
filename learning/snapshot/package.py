r"""A packaged version: one saved model as one file, which another task or another installation of Headrace can check and install.

The file has a line of JSON, the SHA-256 of that line, an HMAC-SHA256 if there is a snapshot key, and the compressed encoding of the model.
The line can be read as it is: `head -1 fraud.model`.
"""

import hashlib
import hmac
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import zstandard

from headrace.learning.encoding import SIZE, decode, digest
from headrace.learning.errors import ModelError, PackageError, SnapshotError
from headrace.learning.models import build
from headrace.learning.models.likeness import check_like
from headrace.learning.plain import plain_failure
from headrace.learning.signing import derive
from headrace.learning.snapshot.header import HEADER_MAX, LIBRARIES, POSITION_MAX, SUM, Sum
from headrace.learning.task import Kind, Task, Value, modules_of, name_of
from headrace.learning.versions import Version

FORMAT: Literal["headrace-version/1"] = "headrace-version/1"
"""The name and the version of the format."""

LEVEL = 1
"""Of the compression by Zstandard, as for snapshots."""

PACKED_MAX = SIZE + (SIZE >> 8) + 64
"""The most bytes of a compressed encoding: those of the largest one that cannot be compressed."""

FILE_MAX = HEADER_MAX + 2 * SUM + PACKED_MAX
"""The most bytes of a file."""

DAMAGED = "Take it from where it was exported again."

Count = Annotated[int, msgspec.Meta(ge=0, le=POSITION_MAX)]


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line of a file.

    Parameters
    ----------
    format
        The name and the version of the format.
    task, kind, partition
        The task and the shard that the model is from.
    id
        The id of the version; of a model that was trained on a history, `warm-start`.
    model
        What the model was made of, as in a task's `model`.
    updates
        Labels that it has learned.
    position, time
        The offset of the message in which it was saved, and log time in milliseconds.
    reason
        Why it was saved.
    metrics, error
        Those of its arm when it was saved.
    libraries
        The libraries that it computes with, and their versions.
    digest, size
        The SHA-256 (hex) of its encoding, and the number of bytes.
    signed
        Whether an HMAC stands before the compressed encoding.
    sha256, packed
        The SHA-256 (hex) of the compressed encoding, and the number of bytes.
    """

    format: Literal["headrace-version/1"] = FORMAT
    task: str
    kind: Kind
    partition: Annotated[int, msgspec.Meta(ge=0)]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    model: str | dict[str, Value]
    updates: Count
    position: Count
    time: Count
    reason: str
    metrics: dict[str, float | None]
    error: float | None
    libraries: dict[str, str]
    digest: Sum
    size: Annotated[int, msgspec.Meta(ge=1, le=SIZE)]
    signed: bool
    sha256: Sum
    packed: Annotated[int, msgspec.Meta(ge=1, le=PACKED_MAX)]


class Package(NamedTuple):
    """The content of a file: its first line, and the encoding of the model."""

    head: Head
    encoding: bytes


def pack(version: Version, encoding: bytes, task: Task, partition: int, key: bytes | None = None) -> bytes:
    """Write a version as the bytes of a file.

    Parameters
    ----------
    version
        What is known of it.
    encoding
        The encoding of its model.
    task, partition
        The task and the shard that it is from.
    key
        The snapshot key, which signs the file; None leaves it unsigned.

    Examples
    --------
    >>> from headrace.learning.arms import Arm
    >>> from headrace.learning.encoding import digest, encode
    >>> task = Task(name="ads", kind="binary")
    >>> model = Arm(task, role="champion").model
    >>> version = Version("v0-0-7", 7, 0, 0, digest(model), "logistic", {}, None, "checkpoint", None)
    >>> file = pack(version, encode(model), task, 0, key=b"k" * 32)
    >>> unpack(file, b"k" * 32).head.id
    'v0-0-7'
    >>> unpack(file, b"another key")
    Traceback (most recent call last):
    ...
    headrace.learning.errors.PackageError: the file is not signed with the configured snapshot key. Set the key it was signed with.
    """
    payload = zstandard.compress(encoding, LEVEL)
    head = Head(
        task=task.name,
        kind=task.kind,
        partition=partition,
        id=version.id,
        model=version.model,
        updates=version.updates,
        position=version.position,
        time=version.time,
        reason=version.reason,
        metrics=version.metrics,
        error=version.error,
        libraries=LIBRARIES,
        digest=hashlib.sha256(encoding).hexdigest(),
        size=len(encoding),
        signed=bool(key),
        sha256=hashlib.sha256(payload).hexdigest(),
        packed=len(payload),
    )
    line = msgspec.json.encode(head) + b"\n"
    return b"".join((line, hashlib.sha256(line).digest(), _sign(key, line) if key else b"", payload))


def peek(data: bytes) -> Head:
    """Read the first line of a file. What follows its SHA-256 is not checked, and may be missing.

    Raises
    ------
    PackageError
        It is not such a file, is damaged, or has another format.
    """
    end = data.find(b"\n", 0, HEADER_MAX) + 1
    if not end or hashlib.sha256(data[:end]).digest() != data[end : end + SUM]:
        raise PackageError("this is no file of a version, or its beginning is damaged.", DAMAGED)
    try:
        return msgspec.json.decode(data[:end], type=Head)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        what = f"the first line of the file cannot be used: {plain_failure(error)}."
        raise PackageError(what, f"Use a file of the format {FORMAT}.") from None


def unpack(data: bytes, key: bytes | None = None) -> Package:
    """Read a file, after checks that it is whole and authentic. Nothing is decompressed before; nothing is decoded here.

    Parameters
    ----------
    data
        The bytes of the file.
    key
        The snapshot key. With a key, a file with another signature or with none is refused; without one, the signature is not looked at.

    Raises
    ------
    PackageError
        It is not such a file, is damaged, or is not signed with the key.
    """
    head = peek(data)
    end = data.index(b"\n") + 1
    begin = end + SUM + (SUM if head.signed else 0)
    if len(data) - begin != head.packed or hashlib.sha256(data[begin:]).hexdigest() != head.sha256:
        raise PackageError("the file is damaged: its model is not what its first line says.", DAMAGED)
    if key is not None:
        if not head.signed:
            what = "the file is not signed, and a snapshot key is configured."
            raise PackageError(what, "Export it with the key, or import it where there is none and export it there.")
        if not hmac.compare_digest(_sign(key, data[:end]), data[end + SUM : begin]):
            raise PackageError(
                "the file is not signed with the configured snapshot key.", "Set the key it was signed with."
            )
    try:
        if zstandard.frame_content_size(data[begin:]) != head.size:
            raise PackageError("the file is damaged: its model has another size than its first line says.", DAMAGED)
        encoding: bytes = zstandard.ZstdDecompressor().decompress(data[begin:], max_output_size=head.size)
    except zstandard.ZstdError as error:
        raise PackageError(
            f"the file is damaged: it cannot be decompressed: {plain_failure(error)}.", DAMAGED
        ) from None
    if hashlib.sha256(encoding).hexdigest() != head.digest:
        raise PackageError("the file is damaged: its model has another digest than its first line says.", DAMAGED)
    return Package(head, encoding)


def read_model(package: Package, task: Task) -> Any:
    """Decode the model of a file, after a check that a task can have it. Nothing that the file names is called.

    Parameters
    ----------
    package
        What `unpack` returned.
    task
        The task that is to have the model. A model of the user's own must be the one that this task has.

    Raises
    ------
    PackageError
        It is for another kind of task, made with other versions of libraries, or is no such model.
    """
    head = package.head
    if head.kind != task.kind:
        what = f"the model is for {head.kind} tasks, and '{task.name}' is {task.kind}."
        raise PackageError(what, "Import it into a task of its kind.")
    for name in sorted(LIBRARIES.keys() | head.libraries.keys()):
        there, here = head.libraries.get(name), LIBRARIES.get(name)
        if there != here:
            what = f"the model was saved with {name} {there}, and here is {here}."
            raise PackageError(what, f"Install {name} {there}, or train a model anew: headrace warm-start, or retrain.")
    if modules_of(head.model) and head.model != task.model:  # its function would be called, with these parameters
        what = f"the file names the function '{name_of(head.model)[:80]}', and the settings another model."
        raise PackageError(what, f"Set it as the model of '{task.name}' if it is yours, with the same parameters.")
    try:
        fresh = build(head.model, task.kind)
    except ModelError as error:
        raise PackageError(f"the model cannot be built here: {error.what}", error.remedy) from None
    try:
        model = decode(package.encoding, modules_of(head.model))
        check_like(model, fresh)
        canonical = digest(model)
    except SnapshotError as error:
        raise PackageError(f"the model cannot be read: {error.what}", DAMAGED) from None
    except Exception as error:  # noqa: BLE001 the decoded object may be anything, and fail in any way
        raise PackageError(
            f"the file does not hold a '{name_of(head.model)[:80]}': {plain_failure(error)}.", DAMAGED
        ) from None
    if canonical != head.digest:
        raise PackageError("the model in the file is not written as Headrace writes it.", DAMAGED)
    return model


def _sign(key: bytes, line: bytes) -> bytes:
    """Sign a first line: it names the SHA-256 of all that follows."""
    return hmac.digest(derive(key, "version"), line, "sha256")
