"""A sealed snapshot: a state with a header that names its shard, and with proof that it is whole and predicts as before."""

import copy
import hashlib
import hmac
from collections.abc import Sequence

import zstandard

from headrace.learning.encoding import SIZE, decode, digest, encode
from headrace.learning.errors import DamagedError, KeylessError, SnapshotError
from headrace.learning.plain import plain_failure
from headrace.learning.prediction import Frozen, Prediction
from headrace.learning.snapshot.header import FORMAT, LIBRARIES, REPLAY, Header, Parts, compare, join, split
from headrace.learning.snapshot.plausible import check
from headrace.learning.state import State
from headrace.learning.task import Task, fingerprint, modules_of

LEVEL = 1
"""The level of Zstandard compression: a state shrinks to a third, at 300 MB/s and more."""


def seal(state: State, task: Task, partition: int, *, writer: str, snapshot_key: bytes | None = None) -> bytes:
    """Write a state as the bytes of a snapshot.

    The bytes are the head (see `header.join`), the HMAC-SHA256 of head and payload if there is a key, and the payload: the compressed
    encoding of the state. Everything that is checked before decompression is outside the compressed part.

    Parameters
    ----------
    state
        The state, which must be between two messages.
    task, partition
        The task and the shard of the state.
    writer
        The name of this process.
    snapshot_key
        The key that signs the snapshot; None leaves it unsigned.

    Raises
    ------
    SnapshotError
        The model cannot be saved: it holds a lambda or an open file, or raises an exception when it predicts.
    """
    try:
        encoding, answers_digest = encode(state), digest(answers(_asked(state)))
    except SnapshotError:
        raise
    except BaseException as error:
        raise SnapshotError(f"the state cannot be saved: {plain_failure(error)}.", "Correct the model.") from error
    payload = zstandard.compress(encoding, LEVEL)
    header = Header(
        format=FORMAT,
        task=task.name,
        kind=task.kind,
        partition=partition,
        fingerprint=fingerprint(state.definition),
        libraries=LIBRARIES,
        position=state.position,
        digest=hashlib.sha256(encoding).hexdigest(),
        size=len(encoding),
        answers=answers_digest,
        writer=writer,
        signed=bool(snapshot_key),
        packed=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
    )
    head = join(header)
    return b"".join((head, _sign(snapshot_key, head, payload) if snapshot_key else b"", payload))


def peek(data: bytes) -> Header:
    """Read the header of a snapshot. The payload is not checked, and may be missing.

    Raises
    ------
    SnapshotError
        The header is missing or damaged, or the snapshot has another format.
    """
    return split(data).header


def unseal(
    data: bytes, task: Task, partition: int, *, snapshot_key: bytes | None = None, own_modules: Sequence[str] = ()
) -> State:
    """Load the state of a snapshot, after checks that it is whole, authentic, of this shard and configuration, and predicts as before.

    The payload is decompressed only after its SHA-256, its signature and the header were checked.

    Parameters
    ----------
    data
        The bytes that `seal` returned.
    task, partition
        The task and the shard whose state is wanted.
    snapshot_key
        The key of `seal`. With a key, a snapshot with another signature or with none is refused; without a key, a signed one is refused.
    own_modules
        Modules of the user's own models, in addition to the module of the task's model; see `decode`.

    Raises
    ------
    DamagedError
        The snapshot is damaged, not signed with the key, or holds no usable state. An older snapshot may do.
    SnapshotError
        The snapshot is of another configuration or other library versions, or its model predicts otherwise than before.
    """
    parts = split(data)
    header = parts.header
    if len(parts.payload) != header.packed or hashlib.sha256(parts.payload).hexdigest() != header.sha256:
        raise DamagedError("the snapshot is damaged: its payload is not what its header says.", REPLAY)
    _authenticate(parts, snapshot_key)
    header.check(task, partition)
    state = _decoded(_inflated(parts), task, own_modules)
    try:
        compare("digest", digest(state), header.digest, REPLAY)
        compare("position", state.position, header.position, REPLAY)
        same = digest(answers(_asked(state))) == header.answers
    except SnapshotError as error:
        raise DamagedError(error.what, error.remedy) from None
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 a state that is no state fails in any way, River's Rust parts with a PanicException
        raise DamagedError(f"the snapshot's state cannot be used: {plain_failure(error)}.", REPLAY) from None
    if not same:
        raise SnapshotError("the snapshot's model answers differently from when it was saved.", REPLAY)
    return state


def _inflated(parts: Parts) -> bytes:
    """Decompress the encoding in the payload, after a check that its size is the one in the header and not too large."""
    size = parts.header.size
    if size > SIZE:
        raise DamagedError(f"the snapshot's state has {size:,} bytes, and at most {SIZE:,} are read.", REPLAY)
    try:
        if zstandard.frame_content_size(parts.payload) != size:
            raise DamagedError("the snapshot is damaged: its state has another size than its header says.", REPLAY)
        encoding = zstandard.ZstdDecompressor().decompress(parts.payload, max_output_size=size)
    except zstandard.ZstdError as error:
        raise DamagedError(
            f"the snapshot is damaged: it cannot be decompressed: {plain_failure(error)}.", REPLAY
        ) from None
    if hashlib.sha256(encoding).hexdigest() != parts.header.digest:
        raise DamagedError("the snapshot is damaged: its state is not what its header says.", REPLAY)
    return encoding


def _decoded(encoding: bytes, task: Task, own_modules: Sequence[str]) -> State:
    """Decode the state in an encoding; raise DamagedError if the encoding holds no plausible state."""
    modules = (*own_modules, *task.modules)
    try:
        state: State = decode(encoding, modules)
    except SnapshotError as error:
        raise DamagedError(error.what, error.remedy) from None
    try:
        check(state, task, modules)
    except Exception as error:  # noqa: BLE001 the decoded object may be anything, and fail in any way
        raise DamagedError(f"the snapshot does not hold a state: {plain_failure(error)}.", REPLAY) from None
    return state


def _asked(state: State) -> State:
    """Return the state whose arms predict for the probes: a copy for a user's own model, which may change when it predicts."""
    modules = [module for arm in state.arms.values() for module in modules_of(arm.made_of)]
    if not modules:
        return state
    asked = copy.copy(state)
    asked.arms = decode(encode(state.arms), modules)
    return asked


def answers(state: State) -> dict[str, list[Frozen | None]]:
    """Return the predictions of each arm for the state's probes, for which a loaded model must predict the same as the saved one."""
    return {name: [_plain(arm.predict(features)) for features in state.probes] for name, arm in state.arms.items()}


def _plain(prediction: Prediction | None) -> Frozen | None:
    return None if prediction is None else prediction.freeze()


def check_signed(header: Header, snapshot_key: bytes | None) -> None:
    """Check that the header claims a signature if and only if there is a snapshot key: a cheap check before the signature is verified.

    Raises
    ------
    DamagedError
        The snapshot is not signed, and there is a key. Another snapshot may do.
    KeylessError
        The snapshot is signed, and there is no key.
    """
    if snapshot_key and not header.signed:
        raise DamagedError("the snapshot is not signed, and a key is configured.", f"If it is yours: {REPLAY}")
    if not snapshot_key and header.signed:
        raise KeylessError("the snapshot is signed, and no key is configured.", "Configure the key it was signed with.")


def _authenticate(parts: Parts, snapshot_key: bytes | None) -> None:
    check_signed(parts.header, snapshot_key)
    if snapshot_key and not hmac.compare_digest(_sign(snapshot_key, parts.head, parts.payload), parts.tag):
        raise DamagedError(
            "the snapshot is not signed with the configured key.", "Configure the key it was signed with."
        )


def _sign(snapshot_key: bytes, head: bytes, payload: bytes) -> bytes:
    signature = hmac.new(snapshot_key, head, "sha256")
    signature.update(payload)
    return signature.digest()
