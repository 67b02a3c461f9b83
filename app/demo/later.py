"""The second act: labels come later and shuffled, one of two workers is killed, and no question stays unanswered."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress

import aiohttp
import msgspec

from headrace.app.demo.act import Act
from headrace.app.demo.process import Worker
from headrace.app.demo.stage import Row, Stage, meanwhile, read_log, validate_progressively, wait_until
from headrace.learning.errors import HeadraceError
from headrace.learning.task import Json

QUESTIONS = 600
QUESTIONS_PER_SECOND = 75.0
LATE_MAX = 60
"""The number of questions that wait for a label at a time. A random one of them gets its label next."""

AWAY_SECONDS = 1.0
"""How long after its kill the worker is started again."""

LEARN_SECONDS = 60.0
"""How long the workers may take to learn all labels after the last label was sent."""

PATIENCE_SECONDS = 10.0
"""How long both workers are asked in turn before a question counts as failed."""


class LaterLabels(Act):
    """Asks two workers in turn, sends the labels later, and kills the worker that learns."""

    title = "Labels that come later, and no question that fails"
    story = (
        "A client asks two workers in turn, and sends the labels later and shuffled. The worker that learns is killed; "
        "whoever gets no answer asks the other one."
    )
    topic = "-later"
    names = ("one", "two")

    def __init__(self, stage: Stage):
        super().__init__(stage)
        self.asked = self.labelled = self.elsewhere = self.failed = 0
        self.staleness = 0.0
        self._turn = itertools.cycle([True, False])

    async def play(self, http: aiohttp.ClientSession, start_next: Callable[[], None]) -> bool:
        """Ask, label, kill, and compare."""
        rows = self.stage.rows[:QUESTIONS]
        dice, waiting = random.Random(1), list[int]()
        async with meanwhile(self._keep_asking(http), self.report()) as group:
            self.note = "both workers answer"
            started = time.monotonic()
            for number, (features, _) in enumerate(rows):
                await self._ask(http, {"id": str(number), "features": features, "log": True})
                waiting.append(number)
                if len(waiting) > LATE_MAX:
                    await self._label(http, waiting.pop(dice.randrange(len(waiting))))
                if number == len(rows) // 2:
                    killing = group.create_task(self._kill_owner(http))
                await asyncio.sleep(max(0.0, started + number / QUESTIONS_PER_SECOND - time.monotonic()))
            dice.shuffle(waiting)
            for number in waiting:
                await self._label(http, number)
            killed = await killing
            start_next()
            shard: dict[str, Json] = {}

            async def are_all_learned() -> bool:
                for worker in self.workers:
                    shard.update(await self._describe_live(http, worker) or {})
                return bool(shard and shard["questions"]["answered"] == len(rows))

            await wait_until(are_all_learned, LEARN_SECONDS, "not every label was learned")
        return await self._compare(rows, shard, killed)

    def figures(self) -> Mapping[str, str]:
        """Return the numbers of questions and labels, and the largest staleness of an answer."""
        return {
            "questions": f"{self.asked:,}",
            "failed": f"{self.failed:,}",
            "labels": f"{self.labelled:,}",
            "oldest answer": f"{self.staleness:.1f} s",
        }

    async def _post(self, http: aiohttp.ClientSession, path: str, body: Json) -> Json:
        """Ask one worker, and the other if the first gives no answer; None if neither answers in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        asked, other = self.workers if next(self._turn) else reversed(self.workers)
        while time.monotonic() < deadline:
            with suppress(aiohttp.ClientError, OSError):
                async with http.post(f"{asked.settings.address}{path}", json=body) as answer:
                    if answer.status < 300:
                        return await answer.json()
            asked, other = other, asked
            self.elsewhere += 1
        return None

    async def _ask(self, http: aiohttp.ClientSession, question: dict[str, Json]) -> None:
        answer = await self._post(http, f"/v1/{self.task.name}/predict", question)
        self.asked += 1
        if answer is None:
            self.failed += 1
        else:
            self.staleness = max(self.staleness, answer["staleness_s"])

    async def _keep_asking(self, http: aiohttp.ClientSession) -> None:
        for features, _ in itertools.cycle(self.stage.rows[:QUESTIONS]):
            await self._ask(http, {"features": features})

    async def _label(self, http: aiohttp.ClientSession, number: int) -> None:
        _, label = self.stage.rows[number]
        if await self._post(http, f"/v1/{self.task.name}/labels", {"id": str(number), "label": label}) is None:
            raise HeadraceError(f"no worker took a label within {PATIENCE_SECONDS:g} s.", "Run: headrace doctor.")
        self.labelled += 1

    async def _kill_owner(self, http: aiohttp.ClientSession) -> Worker:
        """Kill the worker that owns the shard, start it again a little later, and return it."""
        owner = self.workers[0]
        for worker in self.workers:
            if await self._describe_live(http, worker):
                owner = worker
        owner.kill()
        self.note = f"worker {owner.name} killed with -9"
        await asyncio.sleep(AWAY_SECONDS)
        owner.start()
        self.note = f"worker {owner.name} starts again"
        return owner

    async def _describe_live(self, http: aiohttp.ClientSession, worker: Worker) -> dict[str, Json] | None:
        """Return the status of the shard if this worker is its owner, otherwise None."""
        shard = await worker.describe(http)
        return shard if shard and shard["state"] == "live" else None

    async def _compare(self, rows: list[Row], shard: dict[str, Json], killed: Worker) -> bool:
        learned = f"{shard['arms']['champion']['metrics']['accuracy']:.6f}"
        local = f"{by_river(await self._order(), rows):.6f}"
        self.screen.compare(
            ("", "accuracy"),
            [
                (f"learned; worker {killed.name} killed with -9 once", learned),
                ("River's progressive_val_score with these delays, run here", local),
                ("what the client was told, before each label was learned", f"{shard['served']['accuracy']:.6f}"),
            ],
        )
        equal = learned == local and not self.failed
        self.screen.judge(
            equal,
            "Equal, and no question failed." if equal else "NOT as it must be.",
            f"{self.asked:,} questions, {self.failed} failed, {self.elsewhere:,} asked again of the other worker. Answers were at most "
            f"{self.staleness:.1f} s old, labels {shard['questions']['label_delay_s']['p50']:.1f} s late (median).",
        )
        return equal

    async def _order(self) -> list[tuple[int, bool]]:
        """Return the questions and labels in the order of the log, as (number, is_label); copies count once."""
        events = dict[tuple[int, bool], None]()
        async with aclosing(read_log(self.workers[0].settings.brokers, self.task.events)) as messages:
            async for message in messages:
                record = msgspec.json.decode(message.value or b"")
                if "id" in record:
                    events[int(record["id"]), "label" in record] = None
                if len(events) == 2 * QUESTIONS:
                    break
        return list(events)


def by_river(order: list[tuple[int, bool]], rows: list[Row]) -> float:
    """Return the accuracy of River's delayed progressive validation for questions and labels in this order.

    Examples
    --------
    >>> by_river([(0, False), (1, False), (0, True), (1, True)], [({"x": 1.0}, True), ({"x": 2.0}, False)])
    0.5
    """
    at = {event: moment for moment, event in enumerate(order)}
    asked = [number for number, is_label in order if not is_label]
    moments = iter([at[number, False] for number in asked])
    delays = iter([at[number, True] - at[number, False] for number in asked])
    return validate_progressively(
        (rows[number] for number in asked), moment=lambda _: next(moments), delay=lambda *_: next(delays)
    )
