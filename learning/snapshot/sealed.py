"""A sealed snapshot: a state with a header that says whose it is, and proof that it is whole and still answers the same."""

import copy
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import zstandard

from headrace.learning.encoding import SIZE, decode, digest, encode
from headrace.learning.errors import DamagedError, KeylessError, SnapshotError
from headrace.learning.prediction import Prediction
from headrace.learning.snapshot.header import FORMAT, LIBRARIES, REPLAY, Header, Parts, compare, join, split
from headrace.learning.snapshot.plausible import check
from headrace.learning.state import State
from headrace.learning.task import Task

LEVEL = 1
"""Of the compression by Zstandard: a state shrinks to a third at 300 MB/s and more."""


def seal(state: State, task: Task, partition: int, *, writer: str, key: bytes | None = None) -> bytes:
    """A state as bytes that another process can trust.

    They are the header (see `join`), the HMAC-SHA256 of header and payload if there is a key, and the payload: the state's encoding,
    compressed. So all that is checked before anything is inflated stands outside the compression.

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

    Raises
    ------
    SnapshotError
        The model cannot be saved: it holds a lambda, an open file, or raises when it is asked.
    """
    try:
        encoding, told = encode(state), digest(answers(_asked(state, task)))
    except SnapshotError:
        raise
    except BaseException as error:
        raise SnapshotError(f"the state cannot be saved: {error!r}.", "Correct the model.") from error
    payload = zstandard.compress(encoding, LEVEL)
    header = Header(
        format=FORMAT,
        task=task.name,
        kind=task.kind,
        partition=partition,
        fingerprint=task.fingerprint,
        libraries=LIBRARIES,
        position=state.position,
        digest=hashlib.sha256(encoding).hexdigest(),
        size=len(encoding),
        answers=told,
        writer=writer,
        signed=bool(key),
        packed=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
    )
    head = join(header)
    return b"".join((head, _sign(key, head, payload) if key else b"", payload))


def peek(data: bytes) -> Header:
    """The header alone, if it is whole; nothing is said of the payload, which may be left out.

    Raises
    ------
    SnapshotError
        There is no header, it is damaged, or it is of another format.
    """
    return split(data).header


def unseal(
    data: bytes, task: Task, partition: int, *, key: bytes | None = None, own_modules: Sequence[str] = ()
) -> State:
    """The state of a sealed snapshot, if it is whole, authentic, of this shard and configuration, and answers as it did.

    Nothing of the payload is inflated or read before its sum, its signature and the header have been found right.

    Parameters
    ----------
    data
        What `seal` gave.
    task, partition
        Whose state is wanted.
    key
        As for `seal`. With a key, a snapshot that was signed with another or with none is refused; without one, a signed one is.
    own_modules
        Modules of the user's own models, beside the one that the task's model names; see `decode`.

    Raises
    ------
    DamagedError
        It is damaged, not signed with the key, or holds no state that can be used. An older one may do.
    SnapshotError
        It was made by other makers, or its model answers otherwise: what differs, and what to do.
    """
    parts = split(data)
    header = parts.header
    if len(parts.payload) != header.packed or hashlib.sha256(parts.payload).hexdigest() != header.sha256:
        raise DamagedError("the snapshot is damaged: its payload is not what its header says.", REPLAY)
    _authenticate(parts, key)
    header.check(task, partition)
    state = _decoded(_inflated(parts), task, own_modules)
    try:
        compare("digest", digest(state), header.digest, REPLAY)
        compare("position", state.position, header.position, REPLAY)
        same = digest(answers(_asked(state, task))) == header.answers
    except SnapshotError as error:
        raise DamagedError(error.what, error.remedy) from None
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 a state that is no state fails in any way, River's Rust parts with a PanicException
        raise DamagedError(f"the snapshot's state cannot be used: {type(error).__name__}: {error}.", REPLAY) from None
    if not same:
        raise SnapshotError("the snapshot's model answers differently from when it was saved.", REPLAY)
    return state


def _inflated(parts: Parts) -> bytes:
    """The encoding in the payload; no byte is inflated before its size is known to be what the header says, and not too much."""
    size = parts.header.size
    if size > SIZE:
        raise DamagedError(f"the snapshot's state has {size:,} bytes, and at most {SIZE:,} are read.", REPLAY)
    try:
        if zstandard.frame_content_size(parts.payload) != size:
            raise DamagedError("the snapshot is damaged: its state has another size than its header says.", REPLAY)
        encoding = zstandard.ZstdDecompressor().decompress(parts.payload, max_output_size=size)
    except zstandard.ZstdError as error:
        raise DamagedError(f"the snapshot is damaged: it cannot be decompressed: {error}.", REPLAY) from None
    if hashlib.sha256(encoding).hexdigest() != parts.header.digest:
        raise DamagedError("the snapshot is damaged: its state is not what its header says.", REPLAY)
    return encoding


def _decoded(encoding: bytes, task: Task, own_modules: Sequence[str]) -> State:
    """The state in an encoding; DamagedError if there is none."""
    try:
        state = decode(encoding, (*own_modules, *task.modules))
    except SnapshotError as error:
        raise DamagedError(error.what, error.remedy) from None
    try:
        check(state, State(task))
    except Exception as error:  # noqa: BLE001 what is anything may fail in any way
        raise DamagedError(f"the snapshot does not hold a state: {error}.", REPLAY) from None
    return state  # type: ignore[no-any-return]


def _asked(state: State, task: Task) -> State:
    """The state whose arms are asked for their answers: a copy where they are a user's own, which may change when they are asked."""
    if not task.modules:
        return state
    asked = copy.copy(state)
    asked.arms = decode(encode(state.arms), task.modules)
    return asked


def answers(state: State) -> dict[str, list[tuple[Any, Any] | None]]:
    """What each arm says of the state's probes: recent inputs that a loaded model must answer as the saved one did."""
    return {name: [_plain(arm.predict(features)) for features in state.probes] for name, arm in state.arms.items()}


def _plain(prediction: Prediction | None) -> tuple[Any, Any] | None:
    return None if prediction is None else (prediction.value, prediction.probabilities)


def check_signed(header: Header, key: bytes | None) -> None:
    """Raise unless a header says that its snapshot is signed where there is a key, and only there. This costs nothing, and proves nothing.

    Raises
    ------
    DamagedError
        It is not signed, and there is a key. Another snapshot may do.
    KeylessError
        It is signed, and there is no key.
    """
    if key and not header.signed:
        raise DamagedError("the snapshot is not signed, and a key is configured.", f"If it is yours: {REPLAY}")
    if not key and header.signed:
        raise KeylessError("the snapshot is signed, and no key is configured.", "Configure the key it was signed with.")


def _authenticate(parts: Parts, key: bytes | None) -> None:
    check_signed(parts.header, key)
    if key and not hmac.compare_digest(_sign(key, parts.head, parts.payload), parts.tag):
        raise DamagedError(
            "the snapshot is not signed with the configured key.", "Configure the key it was signed with."
        )


def _sign(key: bytes, head: bytes, payload: bytes) -> bytes:
    signature = hmac.new(key, head, "sha256")
    signature.update(payload)
    return signature.digest()
