"""The demo's second act: labels come later and shuffled, one of two workers is killed, and no question stays unanswered."""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiokafka import TopicPartition
from rich.console import Console
from rich.table import Table

from headrace.app.broker import free_port
from headrace.app.command import HEADRACE
from headrace.app.settings import Settings, load
from headrace.learning.errors import HeadraceError

QUESTIONS = 600
QUESTIONS_PER_SECOND = 75.0
LATE_MAX = 60
"""Questions that wait for a label at a time, most of the run; which one gets its label next is drawn."""

READY_SECONDS = 60.0
PATIENCE_SECONDS = 10.0
"""How long a question is tried on one worker and the other before it counts as failed."""

CONFIG = """\
[broker]
url = "kafka://{broker}"

[worker]
web = "127.0.0.1:{port}"
group = "headrace-{task}"

[tasks.{task}]
kind = "binary"
model = "logistic"
"""


class LaterLabels:
    """Two workers, a client that asks one and then the other, and labels for what it asked.

    Parameters
    ----------
    folder
        For the settings and the data of the workers.
    broker
        `host:port`.
    task
        Names the topics.
    console
        Where it is shown.
    """

    def __init__(self, folder: Path, broker: str, task: str, console: Console):
        from river import datasets

        self.console, self.name = console, task
        self.rows = list(itertools.islice(datasets.Phishing(), QUESTIONS))
        self.settings = [_settings(folder / name, broker, task) for name in ("one", "two")]
        self.task = self.settings[0].tasks[task]
        self.workers: list[subprocess.Popen[bytes]] = []
        self.asked = self.elsewhere = self.failed = 0
        self.staleness = 0.0
        self._turn = itertools.cycle([0, 1])

    def start(self) -> None:
        """Start both workers; they are ready some seconds later."""
        self.workers = [self._start(number) for number in range(len(self.settings))]

    def stop(self) -> None:
        """End both workers."""
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait()

    async def run(self) -> bool:
        """Show it; whether no question failed and the accuracy is River's."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(3)) as http:
            for number in range(len(self.settings)):
                await self._wait_ready(http, number)
            self.console.print(f"Two workers for the task {self.name}: questions over HTTP, labels later and shuffled.")
            dice, waiting = random.Random(1), list[int]()
            beside = asyncio.create_task(self._keep_asking(http))
            killing: asyncio.Task[str] | None = None
            started = time.monotonic()
            try:
                for number, (features, _) in enumerate(self.rows):
                    await self._ask(http, {"id": str(number), "features": features, "log": True})
                    waiting.append(number)
                    if len(waiting) > LATE_MAX:
                        await self._label(http, waiting.pop(dice.randrange(len(waiting))))
                    if number == len(self.rows) // 2:
                        killing = asyncio.create_task(self._kill_owner(http))
                    await asyncio.sleep(max(0.0, started + number / QUESTIONS_PER_SECOND - time.monotonic()))
                dice.shuffle(waiting)
                for number in waiting:
                    await self._label(http, number)
                killed = await killing if killing else ""
                shard = await self._all_answered(http)
            finally:
                beside.cancel()
                await asyncio.gather(beside, return_exceptions=True)
        return await self._compare(shard, killed)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        path = self.settings[number].path
        command = [*HEADRACE, "worker", "--instance", path.parent.name]
        with (path.parent / "worker.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 this very program
                [*command, "--config", str(path)], stdout=log, stderr=log, env=os.environ | {"PYTHONHASHSEED": "0"}
            )

    async def _wait_ready(self, http: aiohttp.ClientSession, number: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with http.get(f"{self.settings[number].address}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
        raise HeadraceError(f"a worker was not ready within {READY_SECONDS:g} s.", "Run: headrace doctor.")

    async def _post(self, http: aiohttp.ClientSession, path: str, body: Any) -> Any:
        """The answer of one worker, or of the other where it cannot be had; None when neither gives one in time."""
        deadline, number = time.monotonic() + PATIENCE_SECONDS, next(self._turn)
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with http.post(f"{self.settings[number].address}{path}", json=body) as answer:
                    if answer.status < 300:
                        return await answer.json()
            number = 1 - number
            self.elsewhere += 1
        return None

    async def _ask(self, http: aiohttp.ClientSession, question: dict[str, Any]) -> None:
        told = await self._post(http, f"/v1/{self.name}/predict", question)
        self.asked += 1
        if told is None:
            self.failed += 1
        else:
            self.staleness = max(self.staleness, told["staleness_s"])

    async def _keep_asking(self, http: aiohttp.ClientSession) -> None:
        for features, _ in itertools.cycle(self.rows):
            await self._ask(http, {"features": features})

    async def _label(self, http: aiohttp.ClientSession, number: int) -> None:
        _, label = self.rows[number]
        if await self._post(http, f"/v1/{self.name}/labels", {"id": str(number), "label": label}) is None:
            raise HeadraceError(f"no worker took a label within {PATIENCE_SECONDS:g} s.", "Run: headrace doctor.")

    async def _kill_owner(self, http: aiohttp.ClientSession) -> str:
        """Kill the worker that learns, and start it again a little later; the name of it."""
        owner = 0
        for number in range(len(self.settings)):
            if await self._live(http, number):
                owner = number
        name = self.settings[owner].path.parent.name
        self.workers[owner].kill()
        self.workers[owner].wait()
        self.console.print(f"Worker {name}, which was learning, is killed with -9; the client goes on asking.")
        await asyncio.sleep(1.0)
        self.workers[owner] = self._start(owner)
        return name

    async def _live(self, http: aiohttp.ClientSession, number: int) -> dict[str, Any] | None:
        """The shard as this worker tells it, if it is the owner."""
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with http.get(f"{self.settings[number].address}/v1/{self.name}") as answer:
                shards = (await answer.json())["shards"]
                return next((shard for shard in shards if shard["state"] == "live"), None)
        return None

    async def _all_answered(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            for number in range(len(self.settings)):
                shard = await self._live(http, number)
                if shard and shard["questions"]["answered"] == len(self.rows):
                    return shard
            await asyncio.sleep(0.1)
        raise HeadraceError(f"not every label was learned within {READY_SECONDS:g} s.", "Run: headrace doctor.")

    async def _compare(self, shard: dict[str, Any], killed: str) -> bool:
        told = f"{shard['arms']['champion']['metrics']['accuracy']:.6f}"
        local = (
            f"{by_river(await self._order(), [features for features, _ in self.rows], [y for _, y in self.rows]):.6f}"
        )
        table = Table(title="Labels that came later, beside River's own delayed validation", title_justify="left")
        for column in ("", "accuracy"):
            table.add_column(column)
        table.add_row(f"learned, worker {killed} killed with -9 once", told)
        table.add_row("River's progressive_val_score with these delays, here", local)
        table.add_row("what the client was really told", f"{shard['served']['accuracy']:.6f}")
        self.console.print(table)
        equal = told == local and not self.failed
        verdict = "[bold green]Equal, and none failed.[/]" if equal else "[bold red]NOT as it must be.[/]"
        delay = shard["questions"]["label_delay_s"]["p50"]
        self.console.print(
            f"{verdict} {self.asked} questions answered, {self.failed} failed, {self.elsewhere} asked again of the other worker; "
            f"answers at most {self.staleness:.1f} s old, labels {delay:.1f} s late (median)."
        )
        return equal

    async def _order(self) -> list[tuple[int, bool]]:
        """The numbers of the questions, and whether it is the label, in the order of the log; what came twice counts once."""
        shard, found = TopicPartition(self.task.events, 0), dict[tuple[int, bool], None]()
        async with self.settings[0].brokers.consumer() as consumer:
            consumer.assign([shard])
            consumer.seek(shard, 0)
            while len(found) < 2 * len(self.rows):
                for message in (await consumer.getmany(shard, timeout_ms=1000)).get(shard, []):
                    record = msgspec.json.decode(message.value)
                    if "id" in record:
                        found[int(record["id"]), "label" in record] = None
        return list(found)


def by_river(order: list[tuple[int, bool]], features: list[dict[str, Any]], labels: list[Any]) -> float:
    """The accuracy that River's delayed progressive validation gives for questions and labels in this order.

    Examples
    --------
    >>> by_river([(0, False), (1, False), (0, True), (1, True)], [{"x": 1.0}, {"x": 2.0}], [True, False])
    0.5
    """
    from river import evaluate, linear_model, metrics, optim, preprocessing

    at = {event: moment for moment, event in enumerate(order)}
    asked = [number for number, is_label in order if not is_label]
    moments = iter([at[number, False] for number in asked])
    delays = iter([at[number, True] - at[number, False] for number in asked])
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005))
    score = evaluate.progressive_val_score(
        ((features[number], labels[number]) for number in asked),
        model,
        metrics.Accuracy(),
        moment=lambda _: next(moments),
        delay=lambda *_: next(delays),
    )
    return float(score.get())


def _settings(folder: Path, broker: str, task: str) -> Settings:
    folder.mkdir()
    path = folder / "headrace.toml"
    path.write_text(CONFIG.format(broker=broker, port=free_port(), task=task))
    return load(str(path))
