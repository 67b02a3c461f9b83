"""Where a source goes on when Kafka has forgotten its offset: at the last mark that a worker has kept."""

import asyncio

import pytest
from aiokafka import TopicPartition

from headrace.agents.positions import Positions, _key
from headrace.learning.records.mark import Mark
from headrace.tables.changelog import Entry

PLACE, OTHER = TopicPartition("clicks", 0), TopicPartition("clicks", 1)
OURS, FORGED = (Mark(offset, 1_700_000_000_000, "f" * 64) for offset in (40, 10**6))
KEY = b"k" * 32


class Marks:
    """The topic, in memory."""

    def __init__(self, *entries):
        self.entries = entries

    async def read(self, partition, following):
        for offset, (key, value) in enumerate(self.entries):
            yield Entry(offset, key, value)


def kept(key, *entries):
    positions = Positions("ads", "nowhere:1", key)
    positions._marks = Marks(*entries)
    return asyncio.run(positions._read_mark(PLACE))


def signed(key, place=PLACE, mark=OURS, task="ads"):
    return Positions(task, "nowhere:1", key)._signed(place, mark.text.encode())


@pytest.mark.parametrize("key", [None, KEY])
def test_the_last_mark_of_the_place_is_the_one(key):
    later = Mark(50, 1_700_000_000_001, "a" * 64)
    entries = [
        (_key(place), signed(key, place, mark)) for place, mark in ((PLACE, OURS), (PLACE, later), (OTHER, FORGED))
    ]
    assert kept(key, *entries) == later


@pytest.mark.parametrize(
    "value",
    [
        FORGED.text.encode(),
        FORGED.text.encode() + b"\n" + bytes(32),
        signed(b"o" * 32, mark=FORGED),
        signed(KEY, OTHER, FORGED),
        signed(KEY, mark=FORGED, task="other"),
        FORGED.text.encode() + signed(KEY)[len(OURS.text) :],
        b"",
        None,
    ],
    ids=["unsigned", "zeros", "another key", "another place", "another task", "another mark", "nothing", "deleted"],
)
def test_with_a_key_only_what_a_worker_has_signed_counts(value):
    """Records of the source would be passed over, and be lost to the log."""
    assert kept(KEY, (_key(PLACE), signed(KEY)), (_key(PLACE), value)) == OURS


def test_without_a_key_what_was_signed_counts_as_well():
    assert kept(None, (_key(PLACE), signed(KEY))) == OURS
