"""An event log in memory that tests append to and read."""

import json

from headrace.learning.records.message import Message


class MemoryLog:
    """An event log of one partition in memory."""

    def __init__(self):
        self.messages: list[Message] = []
        self.gaps = 0

    def put(self, *rows, clock=None, key=None):
        offset = self.messages[-1].offset + 1 if self.messages else 0
        value = b"\n".join(row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
        self.messages.append(Message(offset + self.gaps, value, offset * 100 if clock is None else clock, key))
        self.gaps = 0
        return self.messages[-1].offset

    async def append(self, partition, value, timestamp):
        return self.put(value, clock=timestamp)

    async def read(self, partition, start, end):
        for message in list(self.messages):
            if start <= message.offset < end:
                yield message

    async def ends(self, partitions):
        return dict.fromkeys(partitions, self.messages[-1].offset + 1 if self.messages else 0)
