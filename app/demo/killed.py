"""The first act: a worker learns from a stream, is killed with -9, and comes back equal to the last bit."""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing

import aiohttp
import msgspec

from headrace.app.demo.act import Act
from headrace.app.demo.stage import Stage, meanwhile, read_log, validate_progressively, wait_until
from headrace.learning.task import Json
from headrace.tables.kafka.producer import producing

ROWS_PER_SECOND = 125.0
"""Slow enough to watch: the 1,250 rows of Phishing take ten seconds."""

PUBLISHED = "0.887200"
"""The accuracy of this model on these rows in River's own benchmark."""

ASKERS = 4
PAUSE_SECONDS = 0.002
"""The pause between two questions of one asker. Without it the askers take a whole core from the workers that start meanwhile."""

LEARN_SECONDS = 60.0
"""How long the worker may take to learn all rows after the last row was sent."""


class Killed(Act):
    """Sends rows and questions to one worker, and kills it once."""

    title = "Killed with -9, and equal to the last bit"
    story = "A worker learns River's Phishing data from Kafka while it answers questions. It is killed half-way, and rows go on arriving."
    names = ("demo",)
    answer_seconds = 2.0

    def __init__(self, stage: Stage):
        super().__init__(stage)
        (self.worker,) = self.workers
        self.sent = self.answered = self.unanswered = 0
        self.recovery = 0.0
        self.shard: dict[str, Json] = {}
        self._last = (time.monotonic(), 0)

    async def play(self, http: aiohttp.ClientSession, start_next: Callable[[], None]) -> bool:
        """Learn, kill, learn on, and compare."""
        self.screen.say(
            f"The worker was ready after {time.monotonic() - self.worker.started:.1f} s: process {self.worker.pid}."
        )
        rows = self.stage.rows
        work = [self._ask(http, number) for number in range(ASKERS)]
        async with meanwhile(*work, self._watch(http), self.report()) as group:
            self.note = "learning"
            sending = group.create_task(self._send())
            await wait_until(self._is_half_sent, LEARN_SECONDS, "half of the rows were not sent")
            self.worker.kill()
            killed = time.monotonic()
            self.note = "killed with -9, on its way back"
            self.worker.start()
            await self.wait_ready(http)
            self.recovery = time.monotonic() - killed
            start_next()
            self.note = f"back after {self.recovery:.1f} s, learning on"
            await sending
            await wait_until(self._is_all_learned, LEARN_SECONDS, f"not all {len(rows)} rows were learned")
        return await self._compare()

    def figures(self) -> Mapping[str, str]:
        """Return rows learned, accuracy, and answers a second."""
        now, answered = time.monotonic(), self.answered
        rate = (answered - self._last[1]) / (now - self._last[0])
        self._last = now, answered
        learned, arms = self.shard.get("updates", 0), self.shard.get("arms")
        accuracy = arms["champion"]["metrics"]["accuracy"] if arms else None
        return {
            "rows sent": f"{self.sent:,}",
            "learned": f"{learned:,}",
            "accuracy": "-" if accuracy is None else f"{accuracy:.6f}",
            "answers/s": f"{rate:,.0f}",
        }

    async def _is_half_sent(self) -> bool:
        return self.sent >= len(self.stage.rows) // 2

    async def _is_all_learned(self) -> bool:
        return bool(self.shard.get("updates") == len(self.stage.rows) and self.shard.get("digest"))

    async def _send(self) -> None:
        started = time.monotonic()
        async with producing(self.worker.settings.brokers) as producer:
            for number, (features, label) in enumerate(self.stage.rows):
                value = msgspec.json.encode({"id": str(number), "features": features, "label": label})
                await producer.send_and_wait(self.task.events, value, partition=0)
                self.sent += 1
                await asyncio.sleep(max(0.0, started + number / ROWS_PER_SECOND - time.monotonic()))

    async def _ask(self, http: aiohttp.ClientSession, first: int) -> None:
        url = f"{self.worker.settings.address}/v1/{self.task.name}/predict"
        rows = self.stage.rows
        for number in itertools.count(first, ASKERS):
            features, _ = rows[number % len(rows)]
            try:
                async with http.post(url, json={"features": features}) as answer:
                    await answer.read()
                    if answer.status == 200:
                        self.answered += 1
                        await asyncio.sleep(PAUSE_SECONDS)
                        continue
            except (aiohttp.ClientError, OSError):
                pass
            self.unanswered += 1
            await asyncio.sleep(0.05)

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        while True:
            self.shard = await self.worker.describe(http) or self.shard
            await asyncio.sleep(0.2)

    async def _compare(self) -> bool:
        from headrace.learning.fold.learner import Learner
        from headrace.learning.snapshot import digest

        learner = Learner(self.task, 0)
        async with aclosing(read_log(self.worker.settings.brokers, self.task.events)) as messages:
            async for message in messages:
                for _ in learner.fold(message):
                    pass
                if learner.state.position >= self.shard["position"]:
                    break
        expected = digest(learner.state)
        served, folded = (
            f"{status['arms']['champion']['metrics']['accuracy']:.6f}" for status in (self.shard, learner.describe())
        )
        local = f"{validate_progressively(self.stage.rows):.6f}"
        self.screen.compare(
            ("", "accuracy", "digest begins"),
            [
                ("served, killed with -9 once", served, self.shard["digest"][:16]),
                ("the same log, folded without interruption", folded, expected[:16]),
                ("River's progressive_val_score, run here", local, ""),
                ("River's published benchmark", PUBLISHED, ""),
            ],
        )
        equal = served == local == PUBLISHED and self.shard["digest"] == expected
        self.screen.judge(
            equal,
            "Equal to the last bit." if equal else "DIFFERENT.",
            f"{self.answered:,} predictions were answered while it learned. It was back {self.recovery:.1f} s after the kill; "
            f"{self.unanswered:,} requests met no worker, since there was only one.",
        )
        return equal
