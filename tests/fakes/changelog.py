"""A changelog in memory, and what follows it."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

from fakes.step import Step, pause

from headrace.learning.errors import ReplacedError
from headrace.tables.changelog import Entry


class Changelog:
    """A compacted topic in memory, which tables write and read and replicas follow.

    It keeps to what `KafkaChangelog` promises: an entry is there before its offset is returned; a reading begins with the entry before
    `following`, ends at the end that the topic had when it began, and is refused where the topic is shorter; what was compacted away leaves
    an offset that holds nothing.

    Parameters
    ----------
    step
        Awaited before and after an entry is taken, and before each that is read. It may take its time, fail, or end the process.
    witness
        Called with the key and value of each entry as it is taken.

    Attributes
    ----------
    entries
        By partition, the key and value at each offset; None at an offset that holds nothing any more.
    is_away
        Whether the broker is away: nothing is taken or read.
    left
        How many entries are still taken before the broker refuses all others; None for any number.
    reads
        How many entries were read.
    """

    def __init__(
        self,
        *,
        step: Step = pause,
        witness: Callable[[bytes, bytes | None], None] = lambda key, value: None,
    ):
        self.entries: defaultdict[int, list[tuple[bytes, bytes | None] | None]] = defaultdict(list)
        self.is_away, self.left, self.reads = False, None, 0
        self._step, self._witness = step, witness

    async def append(self, partition, key, value):
        await self._step()
        if self.is_away or self.left == 0:
            raise ConnectionError
        if self.left is not None:
            self.left -= 1
        self._witness(key, value)
        self.entries[partition].append((key, value))
        offset = len(self.entries[partition]) - 1
        await self._step()
        return offset

    async def read(self, partition, following):
        if self.is_away:
            raise ConnectionError
        if len(self.entries[partition]) < following:
            raise ReplacedError("shorter")
        for entry in self.since(partition, max(following - 1, 0)):
            self.reads += 1
            await self._step()
            yield entry

    def since(self, partition, start=0):
        """The entries that are there from an offset on."""
        entries = enumerate(self.entries[partition][start:], start)
        return [Entry(offset, *entry) for offset, entry in entries if entry is not None]

    def compacted(self):
        """Another changelog, with what a broker leaves of this one: the last value of each key."""
        left = Changelog()
        for partition, entries in self.entries.items():
            last = {entry.key: entry for entry in self.since(partition)}
            kept = {entry.offset for entry in last.values() if entry.value is not None}
            left.entries[partition] = [entry if offset in kept else None for offset, entry in enumerate(entries)]
        return left

    def follower(self):
        return Follower(self)


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
        self.starts = {partition: len(self.changelog.entries[partition]) for partition in self.starts}
        return {partition: entries for partition, entries in found.items() if entries}

    async def stop(self):
        self.starts = {}
