"""The third act: the world changes, somebody sends wrong labels, and the model comes out of both."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import aiohttp
import msgspec
from aiokafka.structs import RecordMetadata

from headrace.app.demo.act import Act
from headrace.app.demo.stage import Row, Stage, meanwhile, read_log, wait_until
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Guard, Json, Task
from headrace.tables.kafka.producer import producing

CHANGE = 4_000
"""The row with which the world is another one: SEA's boundary moves from 7 to 9.5."""

POISON = 7_000
"""The row from which on labels are flipped."""

HONEST = 7_300
"""The row from which on they are right again."""

END = 8_500
ROWS_PER_SECOND = 900.0
AFTER = 1_000
"""The rows after the change whose accuracy is shown."""

LEARN_SECONDS = 60.0
JOB_SECONDS = 60.0
JOB = "demo-unlearn"

SETTINGS = """\
model = { use = "logistic", learning_rate = 0.05 }
versions = { every = 1000 }
guard = { against = ["last_good"], every = 1, mode = "auto" }

[[tasks.TASK.detectors]]
use = "evidence"
between = 10000

[[tasks.TASK.reactions]]
do = "boost"
mode = "auto"
budget = 1
"""

LEFT_ALONE = Guard(against=[], label_rate=False)


class Folded(NamedTuple):
    """A fold of rows: the learner, and whether each row was predicted right before it was learned."""

    learner: Learner
    right: list[bool]


class Changed(Act):
    """Sends a stream with a drift and a burst of flipped labels to one worker, and takes the burst out again."""

    title = "The world changes, somebody sends wrong labels, and the model comes out of both"
    story = (
        "The rule behind River's SEA stream changes at once. A detector notices, and the learning rate is raised for a while. Later 300 labels "
        "are flipped: a guard goes back to the last good version, and the flipped labels are unlearned."
    )
    topic = "-changed"
    names = ("three",)
    settings = SETTINGS

    def __init__(self, stage: Stage):
        super().__init__(stage)
        (self.worker,) = self.workers
        self.sent = 0
        self.signals: list[dict[str, Json]] = []
        self.shard: dict[str, Json] = {}

    @cached_property
    def rows(self) -> list[Row]:
        """Return the rows of the two worlds, with the flipped labels."""
        from river.datasets import synth

        before = islice(synth.SEA(variant=2, seed=1), CHANGE)
        after = islice(synth.SEA(variant=3, seed=2), END - CHANGE)
        rows = [
            ({f"x{name}": value for name, value in x.items()}, bool(y)) for world in (before, after) for x, y in world
        ]
        return [(x, not y) if POISON <= number < HONEST else (x, y) for number, (x, y) in enumerate(rows)]

    async def play(self, http: aiohttp.ClientSession, start_next: Callable[[], None]) -> bool:
        """Send, watch, unlearn, and compare."""
        start_next()
        async with meanwhile(self._watch(http), self.report()):
            self.note = "one world"
            places = await self._send()
            await wait_until(self._is_all_learned, LEARN_SECONDS, "not all rows were learned")
            self.note = "the flipped labels are unlearned"
            unlearned = await self._unlearn(http, [place.offset for place in places[POISON:HONEST]])
            self.signals = (await self._get(http, "/drift"))["signals"]
            await wait_until(self._has_digest, LEARN_SECONDS, "the worker did not say its digest")
        return await self._compare(self.shard, unlearned)

    def figures(self) -> Mapping[str, str]:
        """Return rows sent and learned, the accuracy over the last 1,000 rows, and the signals."""
        arms = self.shard.get("arms")
        accuracy = arms["champion"]["metrics"]["window"]["accuracy"] if arms else None
        return {
            "rows sent": f"{self.sent:,}",
            "learned": f"{self.shard.get('updates', 0):,}",
            "last 1,000": "-" if accuracy is None else f"{accuracy:.3f}",
            "signals": str(len(self.signals)),
        }

    async def _send(self) -> list[RecordMetadata]:
        """Send all rows, and return where each of them stands in the log."""
        started, sent = time.monotonic(), []
        async with producing(self.worker.settings.brokers) as producer:
            for number, (features, label) in enumerate(self.rows):
                value = msgspec.json.encode({"features": features, "label": label})
                sent.append(await producer.send(self.task.events, value, partition=0))
                self.sent += 1
                if number == CHANGE:
                    self.note = "the rule has changed"
                elif number == POISON:
                    self.note = "labels are flipped"
                elif number == HONEST:
                    self.note = "labels are right again"
                if ahead := max(0.0, started + number / ROWS_PER_SECOND - time.monotonic()):
                    await asyncio.sleep(ahead)
            return list(await asyncio.gather(*sent))

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        while True:
            self.shard = await self.worker.describe(http) or self.shard
            with suppress(aiohttp.ClientError, OSError):
                self.signals = (await self._get(http, "/drift")).get("signals", self.signals)
            await asyncio.sleep(0.3)

    async def _get(self, http: aiohttp.ClientSession, path: str) -> dict[str, Json]:
        async with http.get(f"{self.worker.settings.address}/v1/{self.task.name}{path}") as answer:
            described: dict[str, Json] = await answer.json()
            return described

    async def _is_all_learned(self) -> bool:
        return bool(self.shard.get("updates") == len(self.rows))

    async def _has_digest(self) -> bool:
        arm = self.shard["arms"]["champion"]
        return bool(arm["digest"] and self.shard["updates"] and JOB not in str(self.shard.get("jobs")))

    async def _unlearn(self, http: aiohttp.ClientSession, offsets: list[int]) -> str:
        """Have the records at these offsets unlearned, and return what the shard did."""
        without = {"positions": [{"start": min(offsets), "end": max(offsets) + 1}]}
        record = {"control": "job", "job": JOB, "recipe": {"why": "unlearn", "without": without}, "wait_s": 0}
        async with http.post(f"{self.worker.settings.address}/v1/{self.task.name}/control", json=record) as answer:
            answer.raise_for_status()
        done: list[str] = []

        async def has_ended() -> bool:
            with suppress(aiohttp.ClientError, OSError):
                shards = (await self._get(http, f"/control/{JOB}"))["shards"]
                done.extend(shard["did"] for shard in shards if shard["did"])
            return bool(done)

        await wait_until(has_ended, JOB_SECONDS, "the flipped labels were not unlearned")
        return done[0]

    async def _compare(self, shard: dict[str, Json], unlearned: str) -> bool:
        messages = await self._read(shard["position"])
        served = fold(self.task, messages)
        alone = msgspec.structs.replace(self.task, detectors=[], reactions=[], guard=LEFT_ALONE)
        still = fold(alone, messages[:POISON])
        clean = fold(alone, (*messages[:POISON], *messages[HONEST:]))
        drift = next((one for one in self.signals if one["kind"] == "drift"), None)
        guard = next((one for one in self.signals if one["kind"] == "guard"), None)
        offset = messages[0].offset
        self.screen.compare(
            ("", "accuracy in the 1,000 rows after the change"),
            [
                ("with the reaction", f"{accuracy(served.right):.3f}"),
                ("the same model, left alone", f"{accuracy(still.right):.3f}"),
            ],
        )
        if drift is None or guard is None:
            self.screen.judge(False, "NOT noticed.", "There is no signal of the change, or none of the guard.")
            return False
        late, bad = drift["position"] - offset - CHANGE, guard["position"] - offset - HONEST
        self.screen.say(f"{late} rows after the change, {drift['detector']} noticed it: {drift['action']}.")
        self.screen.say(f"{bad} rows after the last flipped label, the guard '{guard['detector']}': {guard['action']}.")
        self.screen.say(f"Then `unlearn`: {unlearned}.")
        digests = shard["arms"]["champion"]["digest"], clean.learner.champion.digest
        self.screen.compare(
            ("", "digest of the model begins"),
            [
                ("served, after the flipped labels were unlearned", digests[0][:16]),
                ("a fold that has never seen them, run here", digests[1][:16]),
            ],
        )
        equal = digests[0] == digests[1] and unlearned.startswith("installed")
        self.screen.judge(
            equal,
            "Equal to the last bit." if equal else "DIFFERENT.",
            "Nothing else was lost: the model has learned all that came before, between and after.",
        )
        return equal

    async def _read(self, position: int) -> list[KafkaMessage]:
        """Read the rows in the log, up to a position, without what is no row."""
        messages: list[KafkaMessage] = []
        async with aclosing(read_log(self.worker.settings.brokers, self.task.events)) as log:
            async for message in log:
                if b'"control"' not in (message.value or b""):
                    messages.append(message)
                if message.offset + 1 >= position:
                    return messages
        return messages


def accuracy(right: list[bool]) -> float:
    """Compute the share of right predictions in the rows after the change."""
    return sum(right[CHANGE : CHANGE + AFTER]) / AFTER


def fold(task: Task, messages: Iterable[KafkaMessage]) -> Folded:
    """Fold rows one after the other, and note which were predicted right.

    Examples
    --------
    >>> from headrace.learning.records.message import Message
    >>> rows = [Message(at, b'{"features": {"x": 1.0}, "label": true}') for at in range(3)]
    >>> fold(Task(name="ads", kind="binary"), rows).right
    [False, True, True]
    """
    learner, right = Learner(task, 0), []
    for message in messages:
        record = msgspec.json.decode(message.value or b"")
        answer = learner.champion.predict(record["features"])
        right.append(answer is not None and answer.value == record["label"])
        for _ in learner.fold(message):
            pass
    return Folded(learner, right)
