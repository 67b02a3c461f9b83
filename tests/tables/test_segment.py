"""Segments: what a worker writes is read; anything else in the pending topic is a SegmentError, before it has cost anything."""

import hmac

import msgspec
import pytest
import zstandard

from headrace.learning.waiting.join import ENTRY_MAX, WaitingQuestion, encode
from headrace.learning.waiting.pending import STEP_MAX, PendingEntry
from headrace.tables.segment import ENTRIES_MAX, PACKED_MAX, ROOM, SEGMENT_MAX, Packer, Segment, SegmentError, size_of

KEY, PLACE = b"k" * 32, b"one/1"
PACKER, SIGNING = Packer("ads", None), Packer("ads", KEY)
ENTRY = encode(WaitingQuestion(1, {"x": 1.0}, {}, None))
SEGMENT = Segment("a", 1, [PendingEntry(1, "q", ENTRY), PendingEntry(2, "r", ENTRY)])


def frame(*content, **options):
    return zstandard.ZstdCompressor(**options).compress(msgspec.msgpack.encode(content))


def raw(data):
    return zstandard.compress(data)


def lying(size):
    """A frame of so many bytes that says that it has 64 KiB."""
    frame, said = raw(bytes(size)), raw(bytes(1 << 16))
    lie = said[:7] + frame[9 if size > 1 << 16 else 7 :]  # a size takes two bytes, or four
    assert zstandard.frame_content_size(lie) == 1 << 16
    return lie


@pytest.mark.parametrize("packer", [PACKER, SIGNING])
def test_a_segment_is_read_as_it_was_written(packer, inflated):
    assert packer.unpack(0, PLACE, packer.pack(0, PLACE, SEGMENT)) == SEGMENT
    assert len(inflated) == 1  # the mutant: what is counted below is what reading does


def test_without_a_key_a_record_is_a_frame_alone():
    assert PACKER.pack(0, PLACE, SEGMENT) == zstandard.compress(msgspec.msgpack.encode(SEGMENT), 1)


def sized(size):
    """A question of so many bytes."""
    told = encode(WaitingQuestion(1, {"x": "x" * (1 << 16)}, {}, None))
    found = encode(WaitingQuestion(1, {"x": "x" * ((1 << 16) + size - len(told))}, {}, None))
    assert len(found) == size
    return found


DECLARED = b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0"
"""A frame of 16 bytes that says that it has 2^40."""


@pytest.mark.parametrize(
    "value",
    [raw(bytes(1 << 26)), raw(bytes(PACKED_MAX + 1)), DECLARED, frame("a", 1, [], write_content_size=False)],
    ids=["a bomb", "a byte too many", "2^40 declared", "no size"],
)
def test_what_is_too_large_or_does_not_say_how_large_it_is_is_not_inflated(value, inflated):
    with pytest.raises(SegmentError, match="and at most"):
        PACKER.unpack(0, PLACE, value)
    assert not inflated


UNREADABLE = {
    "nothing": b"",
    "no frame": b"no segment",
    "a frame that may be skipped": b"\x50\x2a\x4d\x18\0\0\0\0",
    "a frame that has more than it says": lying(1 << 20),
    "a frame that has less than it says": lying(1 << 12),
    "half a frame": PACKER.pack(0, PLACE, SEGMENT)[:-9],
    "no segment": raw(b"no segment"),
    "a time below zero": frame("a", -1, []),
    "a time beyond 2^63": frame("a", 1 << 63, []),
    "a step below zero": frame("a", 1, [(-1, "q", ENTRY)]),
    "a step beyond 2^63": frame("a", 1, [(STEP_MAX + 1, "q", ENTRY)]),
    "a fold that is no UTF-8": raw(b"\x93\xa1\xff\x01\x90"),
    "an id that is half a character": raw(b"\x93\xa1a\x01\x91\x93\x01\xa3\xed\xa0\x80\xc4\x00"),
    "nesting": raw(b"\x94\xa1a\x01\x90" + b"\x91" * 100_000 + b"\0"),
    "2^32 entries declared": raw(b"\x93\xa1a\x01\xdd\xff\xff\xff\xff"),
    "20,000 entries under one id": frame("a", 1, [(step, "q", ENTRY) for step in range(20_000)]),
    "an entry too many": frame("a", 1, [(step, f"q{step}", ENTRY) for step in range(ENTRIES_MAX + 1)]),
    "an entry that is none": frame("a", 1, [(1, "q", b"no entry")]),
    "an entry that is empty": frame("a", 1, [(1, "q", b"")]),
    "an entry whose features are no UTF-8": frame("a", 1, [(1, "q", b"\x95\0\1\x81\xa1\xff\1\x80\xc0")]),
    "an entry with nesting": frame("a", 1, [(1, "q", b"\x96\0\1\x80\x80\xc0" + b"\x91" * 100_000 + b"\0")]),
    "two entries of one step": frame("a", 1, [(1, "q", ENTRY), (1, "r", ENTRY)]),
    "entries out of order": frame("a", 1, [(2, "q", ENTRY), (1, "q", ENTRY)]),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_is_no_segment_is_a_segment_error(what):
    with pytest.raises(SegmentError):
        PACKER.unpack(0, PLACE, UNREADABLE[what])


def test_the_largest_segment_of_a_worker_is_within_the_limits():
    """As many bytes as come together before the last entry, and then the largest one, under the longest id."""
    name = "\U0001f600" * 256
    first = PendingEntry(1, name, sized(SEGMENT_MAX - 1 - size_of(PendingEntry(1, name, b""))))
    last = PendingEntry(STEP_MAX, name, sized(ENTRY_MAX))
    assert size_of(first) == SEGMENT_MAX - 1
    packed = PACKER.pack(0, PLACE, Segment("f" * 64, 2**63 - 1, [first, last]))
    assert zstandard.frame_content_size(packed) > PACKED_MAX - 4096
    assert PACKER.unpack(0, PLACE, packed).entries == [first, last]
    assert size_of(PendingEntry(1, "", b"")) == ROOM  # so no segment has more than ENTRIES_MAX


SIGNED = SIGNING.pack(0, PLACE, SEGMENT)

FORGED = {
    "nothing": b"",
    "half a signature": SIGNED[:31],
    "no signature": SIGNED[32:],
    "zeros for one": bytes(32) + SIGNED[32:],
    "a flipped bit": SIGNED[:-1] + bytes([SIGNED[-1] ^ 1]),
    "unsigned": PACKER.pack(0, PLACE, SEGMENT),
    "another key": Packer("ads", b"x" * 32).pack(0, PLACE, SEGMENT),
    "the snapshot key itself": hmac.digest(KEY, SIGNED[32:], "sha256") + SIGNED[32:],
    "a bomb": bytes(32) + raw(bytes(1 << 26)),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_record_that_is_not_signed_with_the_key_is_refused_before_it_is_inflated(what, inflated):
    with pytest.raises(SegmentError, match="not signed"):
        SIGNING.unpack(0, PLACE, FORGED[what])
    assert not inflated


@pytest.mark.parametrize(
    ("packer", "partition", "key"),
    [
        (SIGNING, 1, PLACE),
        (SIGNING, 0, b"one/2"),
        (SIGNING, 0, b""),
        (Packer("bids", KEY), 0, PLACE),
    ],
)
def test_a_signed_record_holds_for_its_task_partition_and_key_alone(packer, partition, key):
    with pytest.raises(SegmentError, match="not signed"):
        packer.unpack(partition, key, SIGNED)


def test_what_is_signed_is_no_segment_where_there_is_no_key():
    with pytest.raises(SegmentError):
        PACKER.unpack(0, PLACE, SIGNED)
