"""A sealed snapshot: a state with a header that says whose it is, and proof that it is whole and still answers the same."""

import hashlib
import hmac
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from learning.codec import dump, load
from learning.digest import digest
from learning.errors import SnapshotError
from learning.learner import State
from learning.prediction import Prediction
from learning.task import Task

FORMAT = 1
"""Raised by one whenever the shape of the state changes."""

MAGIC = b"HRS1"
TAG = 32  # bytes of an HMAC-SHA256
REPLAY = "Delete the snapshots and let the worker replay the log."


class Header(msgspec.Struct, frozen=True, kw_only=True):
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
        Name to version of what the bytes depend on.
    position
        The offset of the next message to fold.
    digest
        Of the state.
    writer
        The process that took it.
    size, sha256
        Of the payload: bytes, hex.
    """

    format: int
    task: str
    kind: str
    partition: int
    fingerprint: str
    libraries: dict[str, str]
    position: int
    digest: str
    writer: str
    size: int
    sha256: str


def libraries() -> dict[str, str]:
    """The versions that a snapshot is bound to.

    Examples
    --------
    >>> sorted(libraries())
    ['numpy', 'python', 'river']
    """
    return {
        "numpy": np.__version__.split(".")[0],
        "python": ".".join(platform.python_version_tuple()[:2]),
        "river": version("river"),
    }


def seal(state: State, task: Task, partition: int, *, writer: str, key: bytes | None = None) -> bytes:
    """A state as bytes that another process can trust.

    Parameters
    ----------
    state
        Between two messages.
    task, partition
        Whose it is.
    writer
        Names this process.
    key
        Signs the snapshot, where one is configured.
    """
    payload = dump((state, answers(state)))
    header = Header(
        format=FORMAT,
        task=task.name,
        kind=task.kind,
        partition=partition,
        fingerprint=task.fingerprint,
        libraries=libraries(),
        position=state.position,
        digest=digest(state),
        writer=writer,
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
    )
    head = msgspec.json.encode(header)
    body = MAGIC + len(head).to_bytes(4, "big") + head
    tag = hmac.digest(key, body + payload, "sha256") if key else bytes(TAG)
    return body + tag + payload


def peek(data: bytes) -> Header:
    """The header alone, unverified; SnapshotError when there is none."""
    return _split(data)[0]


def unseal(data: bytes, task: Task, partition: int, *, key: bytes | None = None, also: Sequence[str] = ()) -> State:
    """The state of a sealed snapshot, if it is whole, authentic, of this shard and configuration, and answers as it did.

    Parameters
    ----------
    data
        What `seal` gave.
    task, partition
        Whose state is wanted.
    key
        As for `seal`. With a key, a snapshot that was signed with another or with none is refused.
    also
        Modules of the user's own models; see `load`.

    Raises
    ------
    SnapshotError
        What is wrong, and what to do.
    """
    header, body, tag, payload = _split(data)
    if len(payload) != header.size or hashlib.sha256(payload).hexdigest() != header.sha256:
        raise SnapshotError("the snapshot is damaged: its payload is not what its header says.", REPLAY)
    if key and not hmac.compare_digest(hmac.digest(key, body + payload, "sha256"), tag):
        raise SnapshotError(
            "the snapshot is not signed with the configured key.", "Configure the key it was signed with."
        )
    _compare("format", header.format, FORMAT, REPLAY)
    _compare("task", header.task, task.name, "Give each task a topic and a folder of its own.")
    _compare("kind", header.kind, task.kind, REPLAY)
    _compare("shard", header.partition, partition, REPLAY)
    remedy = (
        "Take the task's configuration back, or give the changed task another name, or delete its snapshots to replay."
    )
    _compare("configuration", header.fingerprint, task.fingerprint, remedy)
    for name, known in libraries().items():
        _compare(
            f"{name} version",
            header.libraries.get(name),
            known,
            f"Install {name} {header.libraries.get(name)}. {REPLAY}",
        )
    loaded: Any = load(payload, also)
    if not (isinstance(loaded, tuple) and len(loaded) == 2 and isinstance(loaded[0], State)):
        raise SnapshotError("the snapshot does not hold a state.", REPLAY)
    state, expected = loaded
    _compare("digest", digest(state), header.digest, REPLAY)
    _compare("position", state.position, header.position, REPLAY)
    if digest(answers(state)) != digest(expected):
        raise SnapshotError("the snapshot's model answers differently from when it was saved.", REPLAY)
    return state


def answers(state: State) -> dict[str, list[tuple[Any, Any] | None]]:
    """What each arm says of the state's probes: recent inputs that a loaded model must answer as the saved one did."""
    return {name: [_plain(arm.predict(features)) for features in state.probes] for name, arm in state.arms.items()}


def _plain(prediction: Prediction | None) -> tuple[Any, Any] | None:
    return None if prediction is None else (prediction.value, prediction.probabilities)


def _compare(what: str, found: object, wanted: object, remedy: str) -> None:
    if found != wanted:
        raise SnapshotError(f"the snapshot's {what} is {found}, not {wanted}.", remedy)


def _split(data: bytes) -> tuple[Header, bytes, bytes, bytes]:
    """Header, everything up to the tag, tag, payload."""
    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[len(MAGIC) : start], "big")
    if data[: len(MAGIC)] != MAGIC or end + TAG > len(data):
        raise SnapshotError("this is not a snapshot, or it is damaged.", REPLAY)
    try:
        header = msgspec.json.decode(data[start:end], type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SnapshotError(f"the snapshot's header is damaged: {error}.", REPLAY) from None
    return header, data[:end], data[end : end + TAG], data[end + TAG :]
