"""A compacted topic in memory, which can be written with any time, compacted, made anew, and taken away."""

import asyncio

from headrace.agents.background import Background
from headrace.learning.errors import ReplacedError
from headrace.tables.changelog import Entry


class Topic:
    """What a changelog is to a store. `now` is the time, in milliseconds, of what is appended."""

    def __init__(self):
        self.entries: list[Entry] = []
        self.first, self.now, self.is_away = 0, 1_000_000_000_000, False

    async def append(self, partition, key, value):
        return self.put(key, value)

    def put(self, key: bytes, value: bytes | None, time: int | None = None) -> int:
        self._check()
        offset = self.entries[-1].offset + 1 if self.entries else 0
        self.entries.append(Entry(offset, key, value, self.now if time is None else time))
        return offset

    def compact(self) -> None:
        """Keep the last entry of each key."""
        last = {entry.key: entry for entry in self.entries}
        self.entries = sorted(last.values())

    @property
    def end(self) -> int:
        return self.entries[-1].offset + 1 if self.entries else 0

    async def read(self, partition, following):
        self._check()
        if self.end < following:
            raise ReplacedError("shorter")
        for entry in list(self.entries):
            if entry.offset >= following - 1:
                yield entry

    async def follow(self, partition, start):
        while True:
            await asyncio.sleep(0.001)
            self._check()
            if start > self.end:
                raise IndexError("offset out of range")
            found = [entry for entry in self.entries if entry.offset >= start][:7]
            if found:
                start = found[-1].offset + 1
            yield found

    async def stop(self):
        pass

    def _check(self):
        if self.is_away:
            raise ConnectionError("the broker is away")


def start(store):
    """Have a store follow its topic, as a worker does."""
    store.background = Background("stored features", store.run).start()


async def stop(store):
    """Follow no more, and close what the store has open."""
    await store.background.stop()
    await store.stop()
