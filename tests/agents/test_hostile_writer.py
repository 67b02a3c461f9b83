"""Somebody writes into `<task>.snapshots` or `<task>.pending` who has every right to, but not the snapshot key."""

import hashlib
import hmac
import random

import msgspec
import pytest
import zstandard
from sealed import manifest, poisoned
from worlds import WAITING, asking, folded, is_right, learn, run, until

from headrace.learning.snapshot import digest, encode, peek, seal
from headrace.learning.snapshot.header import MAGIC, START, join
from headrace.learning.task import Task, define, fingerprint
from headrace.learning.waiting import join as joining
from headrace.tables.segment import Packer, Segment
from headrace.tables.snapshots import CHUNKS_MAX

KEY, TASK = b"k" * 32, Task(name="ads", kind="binary")
FAR = 10**9


def resealed(sealed, encoding, key=None, **changes):
    """A snapshot with this encoding, by somebody who can compute every sum, and signs with a key of his own."""
    payload = zstandard.compress(encoding)
    changes = {
        "digest": hashlib.sha256(encoding).hexdigest(), "size": len(encoding), "packed": len(payload),
        "sha256": hashlib.sha256(payload).hexdigest(), "signed": bool(key),
    } | changes  # fmt: skip
    head = join(msgspec.structs.replace(peek(sealed), **changes))
    return head + (hmac.digest(key, head + payload, "sha256") if key else b"") + payload


def attacks(own):
    """Values of a manifest's record, by what they try; `own` is the value of a good one of the shard."""
    sealed = own.split(b"\n", 1)[1]
    unsigned = seal(poisoned(TASK, 500), TASK, 0, writer="x")
    dice = random.Random(1)
    yield "an unsigned state of a later position", manifest(500, unsigned)
    yield (
        "one that is signed with another key",
        manifest(500, seal(poisoned(TASK, 500), TASK, 0, writer="x", snapshot_key=b"x" * 32)),
    )
    yield (
        "one that says that it is signed",
        manifest(500, resealed(unsigned, encode(poisoned(TASK, 500)), key=b"y" * 32)),
    )
    yield "an old one that is signed, under a later position", manifest(FAR, sealed)
    yield "a bomb", manifest(500, resealed(unsigned, bytes(1 << 24), size=1 << 40))
    yield (
        "an encoding that names what is not its own",
        manifest(500, resealed(unsigned, b"\0\0\0\x11\x91\x92\x12\xadposix:system.")),
    )
    yield "many chunks", manifest(FAR, sealed, chunks=CHUNKS_MAX)
    yield "too many chunks", manifest(FAR, sealed, chunks=CHUNKS_MAX + 1)
    yield "noise", manifest(500, dice.randbytes(5_000))
    yield "nothing", b""
    yield "another format", manifest(FAR, MAGIC + bytes(6))
    yield "another format, signed", manifest(FAR, MAGIC + b"\0\7" + sealed[START - 4 :])


@pytest.mark.parametrize("which", range(12))
def test_without_the_key_nobody_loses_data_and_the_state_is_the_fold_of_the_log(world, which):
    async def check():
        at = world(TASK)
        worker, other = at.worker("one", KEY), at.worker("other", KEY)
        worker.shards.assign([0])
        await learn(at, worker, 50)
        own = [e.value for e in at.changelog.entries[0] if e.key.startswith(b"manifest/") and e.value][-1]
        what, value = list(attacks(own))[which]
        for place in ("x/000000000001", "one/000000999999", "one", "one/", ""):
            await at.changelog.append(0, f"manifest/{place}".encode(), value)
        written = len(at.changelog.entries[0])
        await learn(at, worker, 50)
        await worker.shards.revoke()
        assert len(at.changelog.entries[0]) < written + 200, f"{what}: its removal is as large as it says itself to be"
        worker.shards.assign([0])
        await is_right(at, worker)
        other.shards.replicas.start()
        await until(lambda: (found := other.shards.answering(0)) is not None and found.position == 100)
        assert (await other.shards.answering(0).digests()).state == (await worker.shards.owned[0].digests()).state
        for one in (worker, other):
            await one.stop()

    run(check())


def test_without_a_key_a_state_of_anybodys_is_taken_up(world):
    """What the key is for: the same attack, where none is configured."""

    async def check():
        at = world(TASK)
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        state = worker.shards.owned[0].learner.state
        forged = poisoned(TASK, state.position)
        forged.last, forged.clock = state.last, state.clock
        await worker.shards.revoke()
        await at.changelog.append(0, b"manifest/zz/000000000001", manifest(50, seal(forged, TASK, 0, writer="zz")))
        worker.shards.assign([0])
        await until(lambda: worker.shards.owned[0].status == "live")
        assert digest(worker.shards.owned[0].learner.state) == digest(forged)
        await worker.stop()

    run(check())


def forged(worker):
    """A segment with other features in each question that waits."""
    entries = []
    for waiting in worker.collaborators.pending.following(0, 0):
        entry = joining.decode(waiting.content)
        if isinstance(entry, joining.WaitingQuestion):
            entry = msgspec.structs.replace(entry, features={"x": 1e3})
        entries.append(waiting._replace(content=joining.encode(entry)))
    return Segment(fingerprint(define(WAITING)), entry.time, entries)


PLACE = b"stranger/1"

FORGERIES = {
    "unsigned": lambda segment, own: (PLACE, Packer("ads", None).pack(0, PLACE, segment)),
    "signed with another key": lambda segment, own: (PLACE, Packer("ads", b"x" * 32).pack(0, PLACE, segment)),
    "signed for another task": lambda segment, own: (PLACE, Packer("bids", KEY).pack(0, PLACE, segment)),
    "signed for another partition": lambda segment, own: (PLACE, Packer("ads", KEY).pack(1, PLACE, segment)),
    "signed for another record": lambda segment, own: (PLACE, Packer("ads", KEY).pack(0, b"stranger/2", segment)),
    "a signature of a worker's": lambda segment, own: (
        PLACE,
        own[:32] + Packer("ads", None).pack(0, PLACE, segment),
    ),
}


@pytest.mark.parametrize("how", FORGERIES)
def test_without_the_key_nobody_changes_what_waits(world, how):
    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker = at.worker("one", KEY)
        worker.shards.assign([0])
        await learn(at, worker, 50)
        own = next(entry.value for entry in at.segments.entries[0] if entry.value)
        await at.segments.append(0, *FORGERIES[how](forged(worker), own))
        await learn(at, worker, 5)  # at its next segment a worker reads what others have written
        await learn(at, worker, 45)
        await is_right(at, worker)
        await worker.shards.revoke()
        worker.shards.assign([0])
        await is_right(at, worker)
        assert worker.shards.owned[0].notice is None
        await worker.stop()

    run(check())


def test_a_segment_that_a_forged_one_takes_the_place_of_has_the_log_folded_again(world):
    """A broker that compacts leaves the last record of a key, whoever wrote it."""

    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker, again = at.worker("one", KEY), at.worker("two", KEY)
        worker.shards.assign([0])
        await learn(at, worker, 50)
        segment = forged(worker)
        await worker.stop()
        entries = at.segments.entries[0]
        entries[:] = [entry._replace(value=Packer("ads", None).pack(0, entry.key, segment)) for entry in entries]
        again.shards.assign([0])
        await is_right(at, again)
        assert "ads.pending" in again.shards.owned[0].notice
        await learn(at, again, 50)
        await is_right(at, again)
        await again.stop()

    run(check())


def test_without_a_key_what_waits_is_what_anybody_says(world):
    """What the key is for: the same attack, where none is configured."""

    async def check():
        at = world(WAITING)
        at.log.all[0] = list(asking(200))
        worker = at.worker("one")
        worker.shards.assign([0])
        await learn(at, worker, 50)
        await at.segments.append(0, *FORGERIES["unsigned"](forged(worker), b""))
        await learn(at, worker, 5)
        await learn(at, worker, 45)
        shard = worker.shards.owned[0]
        assert (shard.status, shard.position) == ("live", 100)
        assert digest(shard.learner.state) != digest(folded(at).state)
        await worker.stop()

    run(check())
