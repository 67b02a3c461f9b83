"""A changelog in memory, and what follows it."""

import asyncio
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable

from fakes.step import Step, pause

from headrace.learning.errors import ReplacedError
from headrace.tables.changelog import Entry


class Changelog:
    """A compacted topic in memory, which tables write and read and replicas and feature stores follow.

    It keeps to what `KafkaChangelog` promises: an entry is there before its offset is returned; a reading begins with the entry before
    `following`, ends at the end that the topic had when it began, and is refused where the topic is shorter; compaction leaves the offsets of
    what it keeps.

    Parameters
    ----------
    step
        Awaited before and after an entry is appended, and before each that is read. It may take its time, fail, or end the process.
    witness
        Called with the key and value of each entry as it is taken.

    Attributes
    ----------
    entries
        The entries that are there, by partition.
    now
        The time of what is put, in milliseconds.
    is_away
        Whether the broker is away: nothing is taken, read or followed.
    left
        How many entries are still taken before the broker refuses all others; None for any number.
    reads
        How many entries were read.
    """

    def __init__(self, *, step: Step = pause, witness: Callable[[bytes, bytes | None], None] = lambda key, value: None):
        self.entries: defaultdict[int, list[Entry]] = defaultdict(list)
        self.now, self.is_away, self.left, self.reads = 1_000_000_000_000, False, None, 0
        self._step, self._witness = step, witness

    async def append(self, partition, key, value):
        await self._step()
        offset = self.put(key, value, partition=partition)
        await self._step()
        return offset

    def put(self, key, value, *, time=None, partition=0):
        """Append an entry at once; its offset."""
        self._check()
        if self.left == 0:
            raise ConnectionError("the broker takes no more")
        if self.left is not None:
            self.left -= 1
        self._witness(key, value)
        offset = self.end(partition)
        self.entries[partition].append(Entry(offset, key, value, self.now if time is None else time))
        return offset

    def end(self, partition=0):
        """The offset of the next entry."""
        entries = self.entries[partition]
        return entries[-1].offset + 1 if entries else 0

    async def read(self, partition, following):
        self._check()
        if self.end(partition) < following:
            raise ReplacedError("shorter")
        for entry in self.since(partition, max(following - 1, 0)):
            self.reads += 1
            await self._step()
            yield entry

    async def follow(self, partition, start):
        while True:
            await asyncio.sleep(0.001)
            self._check()
            if start > self.end(partition):
                raise IndexError("offset out of range")
            found = self.since(partition, start)[:7]
            if found:
                start = found[-1].offset + 1
            yield found

    def follower(self):
        return Follower(self)

    async def stop(self):
        pass

    def since(self, partition, start):
        """The entries from an offset on."""
        entries = self.entries[partition]
        return entries[bisect_left(entries, start, key=lambda entry: entry.offset) :]

    def compacted(self, *, tombstones=False):
        """Another changelog, with what a broker leaves of this one: the last entry of each key, with the tombstones only for a while."""
        left = Changelog()
        for partition, entries in self.entries.items():
            last = {entry.key: entry for entry in entries}
            left.entries[partition] = sorted(entry for entry in last.values() if tombstones or entry.value is not None)
        return left

    def _check(self):
        if self.is_away:
            raise ConnectionError("the broker is away")


class Follower:
    """Follows partitions of a `Changelog` as `KafkaFollower` does: each from an offset on.

    Unlike that one it gives all that is new in one poll, and does not notice a changelog that was made anew.
    """

    def __init__(self, changelog):
        self.changelog, self.starts = changelog, {}

    async def follow(self, starts):
        await asyncio.sleep(0)
        self.starts = dict(starts)

    async def poll(self, seconds):
        await asyncio.sleep(0.001)
        found = {partition: self.changelog.since(partition, start) for partition, start in self.starts.items()}
        self.starts = {partition: self.changelog.end(partition) for partition in self.starts}
        return {partition: entries for partition, entries in found.items() if entries}

    async def stop(self):
        self.starts = {}
