"""The fourth act: a challenger proves that it is better than the champion, and takes its place."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, suppress

import aiohttp
import msgspec

from headrace.app.demo.act import Act
from headrace.app.demo.stage import Row, Stage, meanwhile, read_log, wait_until
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Json
from headrace.tables.kafka.producer import producing

ROWS = 2_400
ROWS_PER_SECOND = 800.0

STAY_ROWS_PER_SECOND = 25.0
FLIPPED = 0.05
"""The share of labels that are wrong, so that no model is right all the time."""

LEARN_SECONDS = 60.0

SETTINGS = """\
model = "logistic"

[tasks.TASK.arms.bayes]
model = "naive_bayes"

[[tasks.TASK.experiments]]
b = "bayes"
margin = 0.02
promote = "auto"
"""


class Compared(Act):
    """Sends rows that no linear model can learn to one worker, whose challenger is another model."""

    title = "A challenger proves that it is better, and takes over"
    story = (
        "The label is true inside a circle, which a linear model cannot learn. A second model learns on the same rows beside it. The two are "
        "compared row by row, with bounds that hold although one looks all the time; once they exclude chance, the better one answers."
    )
    topic = "-compared"
    names = ("four",)
    settings = SETTINGS

    def __init__(self, stage: Stage):
        super().__init__(stage)
        (self.worker,) = self.workers
        self.sent = 0
        self.shard: dict[str, Json] = {}
        self._rows = circle()

    async def play(self, http: aiohttp.ClientSession, start_next: Callable[[], None]) -> bool:
        """Send, watch, and compare with an uninterrupted fold."""
        start_next()
        async with meanwhile(self._watch(http), self.report()):
            await self._send(ROWS, ROWS_PER_SECOND)
            await wait_until(self._is_all_learned, LEARN_SECONDS, "not all rows were learned")
            signals = (await self._get(http, "/drift"))["signals"]
        return await self._compare(signals)

    async def stay(self, until: Awaitable[None]) -> None:
        """Go on with rows, so that the page of the task moves."""
        self.screen.say(f"The worker goes on. Its page: {self.worker.settings.address}/tasks/{self.task.name}")
        self.screen.say("Press a key to end.")
        async with meanwhile(self._send(None, STAY_ROWS_PER_SECOND)):
            await until

    def figures(self) -> Mapping[str, str]:
        """Return rows sent and learned, and the accuracy of both models over the last 1,000 rows."""
        return {"rows sent": f"{self.sent:,}", "learned": f"{self.shard.get('updates', 0):,}"} | {
            name: self._accuracy(name) for name in ("champion", "bayes")
        }

    def _accuracy(self, name: str) -> str:
        arm = self.shard.get("arms", {}).get(name)
        accuracy = arm["metrics"]["window"]["accuracy"] if arm else None
        return "-" if accuracy is None else f"{accuracy:.3f}"

    async def _send(self, rows: int | None, rate: float) -> None:
        started = time.monotonic()
        async with producing(self.worker.settings.brokers) as producer:
            for number, (features, label) in enumerate(itertools.islice(self._rows, rows)):
                value = msgspec.json.encode({"features": features, "label": label})
                await (await producer.send(self.task.events, value, partition=0))
                self.sent += 1
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        while True:
            self.shard = await self.worker.describe(http) or self.shard
            champion = self.shard.get("arms", {}).get("champion", {}).get("model")
            self.note = f"{champion} answers" if champion else ""
            await asyncio.sleep(0.3)

    async def _get(self, http: aiohttp.ClientSession, path: str) -> dict[str, Json]:
        with suppress(aiohttp.ClientError, OSError):
            async with http.get(f"{self.worker.settings.address}/v1/{self.task.name}{path}") as answer:
                described: dict[str, Json] = await answer.json()
                return described
        return {"signals": []}

    async def _is_all_learned(self) -> bool:
        arm = self.shard.get("arms", {}).get("champion")
        return bool(self.shard.get("updates") == self.sent and arm and arm["digest"])

    async def _compare(self, signals: list[dict[str, Json]]) -> bool:
        learner, promoted_at = await self._fold()
        verdict = next((one for one in signals if one["kind"] == "experiment" and "promoted" in one["action"]), None)
        if verdict is None:
            self.screen.judge(False, "NOT promoted.", "No verdict says that the challenger is better.")
            return False
        self.screen.say(
            f"After {verdict['width']:,} rows: the champion had erred in {verdict['before']:.1%} of them, the challenger in "
            f"{verdict['after']:.1%}. {verdict['action']}."
        )
        champion = self.shard["arms"]["champion"]
        rows = [
            ("served", str(verdict["position"]), champion["model"], champion["digest"][:16]),
            ("folded again, here", str(promoted_at), learner.champion.model_name, learner.champion.digest[:16]),
        ]
        self.screen.compare(("", "promoted at", "champion now", "digest begins"), rows)
        equal = rows[0][1:] == rows[1][1:]
        self.screen.judge(
            equal,
            "Equal to the last bit." if equal else "DIFFERENT.",
            "The verdict is part of the fold: whoever folds the log again comes to it at the same row.",
        )
        return equal

    async def _fold(self) -> tuple[Learner, int | None]:
        """Fold the log here, up to where the worker has; return the learner, and the offset at which it promoted the challenger."""
        learner, promoted_at = Learner(self.task, 0), None
        async with aclosing(read_log(self.worker.settings.brokers, self.task.events)) as log:
            async for message in log:
                before = learner.champion
                for _ in learner.fold(message):
                    pass
                if learner.champion is not before:
                    promoted_at = message.offset
                if learner.state.position >= self.shard["position"]:
                    break
        return learner, promoted_at


def circle() -> Iterator[Row]:
    """Yield rows whose label says, mostly, whether a point lies in a circle; without end."""
    dice = random.Random(4)
    while True:
        x, y = dice.uniform(-1, 1), dice.uniform(-1, 1)
        yield {"x": x, "y": y}, (x * x + y * y < 0.6) != (dice.random() < FLIPPED)
