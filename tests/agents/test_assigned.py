"""What is assigned is opened, tried again, looked after, and given back in limited time, each partition by itself."""

import asyncio

import structlog
from worlds import until

from headrace.agents.assigned import Assigned
from headrace.agents.pace import Pace


class Part:
    what, position = "a part", 0

    def __init__(self, place):
        self.place, self.where = place, {"place": place}
        self.status, self.errors = "opening", [None]
        self.refusals, self.failures, self.looks, self.calls = 0, 0, 0, []

    @property
    def error(self):
        return self.errors[-1]

    @error.setter
    def error(self, error):
        self.errors.append(error)

    async def open(self):
        self.calls.append("open")
        if self.refusals:
            self.refusals -= 1
            raise OSError("locked")
        self.status, self.error = "live", None

    async def look_after(self):
        self.looks += 1
        if self.failures:
            self.failures -= 1
            raise OSError("away")

    async def leave(self):
        self.calls.append("leave")

    def let_go(self):
        self.calls.append("let go")


class Parts(Assigned):
    def __init__(self, refusals=0):
        super().__init__(Pace(retry=0.001, leave=0.05), watch_seconds=0.001)
        self.refusals, self.closed = refusals, []

    def make(self, place):
        part = Part(place)
        part.refusals = self.refusals
        return part

    def name(self, place):
        return f"part {place}"

    def close_part(self, place, part):
        part.status = "closed"
        self.closed.append(place)


def test_what_cannot_be_opened_says_why_and_is_tried_again():
    async def run():
        parts = Parts(refusals=2)
        parts.assign([7])
        part = parts.parts[7]
        await until(lambda: part.status == "live")
        assert part.errors == [None, "locked", "locked", None]
        assert part.calls == ["open", "let go", "open", "let go", "open"]
        parts.close()

    asyncio.run(run())


def test_what_fails_for_a_while_is_looked_after_again():
    async def run():
        parts = Parts()
        parts.assign([7])
        parts.parts[7].failures = 3
        with structlog.testing.capture_logs() as logs:
            await until(lambda: parts.parts[7].looks > 5)
        assert [line["event"] for line in logs].count("cannot look after a part now") == 3
        parts.close()

    asyncio.run(run())


def test_an_assignment_replaces_the_one_before_and_closing_ends_the_tasks():
    async def run():
        parts = Parts()
        parts.assign([3, 1])
        first = dict(parts.parts)
        await until(lambda: all(part.status == "live" for part in first.values()))
        parts.assign([2])
        assert (parts.closed, [*parts.parts], [*parts.watches]) == ([1, 3], [2], [2])
        parts.close()
        looks = [part.looks for part in first.values()]
        await asyncio.sleep(0.02)
        assert looks == [part.looks for part in first.values()]
        assert not parts.parts
        assert not parts.watches

    asyncio.run(run())


def test_each_live_part_leaves_and_one_that_hangs_or_fails_keeps_none_from_it():
    async def run():
        parts = Parts()
        parts.assign(range(4))
        kept = dict(parts.parts)
        await until(lambda: all(part.status == "live" for part in kept.values()))

        async def hang():
            await asyncio.Event().wait()

        async def fail():
            raise RuntimeError("a defect")

        kept[0].leave, kept[1].leave, kept[3].status = hang, fail, "stopped"
        with structlog.testing.capture_logs() as logs:
            await parts.revoke()
        assert [part.calls for part in kept.values()] == [["open"], ["open"], ["open", "leave"], ["open"]]
        assert parts.closed == [0, 1, 2, 3]
        assert {line["part"] for line in logs if "part" in line} == {"part 0", "part 1"}

    asyncio.run(run())
