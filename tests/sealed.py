"""Snapshots that no worker took, and their records in the topic."""

import hashlib
import json

from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot.header import FORMAT, SUM, Header, join
from headrace.tables.changelog import CHUNK_MAX


def sealed(position, payload=b"a state", **changes):
    """A right header around a payload that nobody reads."""
    said = {
        "format": FORMAT, "task": "ads", "kind": "binary", "partition": 0, "fingerprint": "f", "libraries": {}, "position": position,
        "digest": "0" * 64, "size": 7, "answers": "0" * 64, "writer": "w", "signed": False, "packed": len(payload),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }  # fmt: skip
    header = Header(**said | changes)
    return join(header) + bytes(SUM if header.signed else 0) + payload


def poisoned(task, position):
    """A state that has learned nothing of the log."""
    state = Learner(task, 0).state
    state.position = position
    return state


def manifest(position, data, chunks=0, sha256=None):
    """The value of a manifest's record, whose last part this is."""
    told = {"position": position, "chunks": chunks, "sha256": sha256 or hashlib.sha256(data).hexdigest()}
    return json.dumps(told).encode() + b"\n" + data


def in_parts(snapshot, position=7, place="x/000000000001", chunks=None):
    """The records of a snapshot that is cut as a writer cuts it, but that may say that it has another number of chunks."""
    *pieces, last = [snapshot[at : at + CHUNK_MAX] for at in range(0, len(snapshot), CHUNK_MAX)]
    for number, piece in enumerate(pieces):
        yield f"chunk/{place}/{number:05}".encode(), piece
    chunks = len(pieces) if chunks is None else chunks
    yield f"manifest/{place}".encode(), manifest(position, last, chunks, hashlib.sha256(snapshot).hexdigest())
