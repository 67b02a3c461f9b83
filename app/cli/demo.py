"""`headrace demo`: a model learns from a real stream, is killed, comes back equal, and answers all along."""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import click
import msgspec
from aiokafka import TopicPartition
from rich.console import Console
from rich.live import Live
from rich.table import Table

from headrace.app import broker as embedded
from headrace.app.cli.later import LaterLabels
from headrace.app.command import HEADRACE, fix_hash_seed
from headrace.app.settings import Settings, load
from headrace.learning.errors import BrokerError, HeadraceError
from headrace.tables.kafka.producer import producing
from headrace.tables.kafka.topics import connect

ROWS_PER_SECOND = 125.0
"""Slow enough to watch: the 1,250 rows of Phishing take ten seconds."""

PUBLISHED = "0.887200"
"""Accuracy of this model on these rows in River's own benchmark."""

ASKERS = 4
READY_SECONDS = 40.0

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


NEXT = """\
Go on with your own data:
  .venv/bin/headrace init --csv FILE --label COLUMN   writes headrace.toml
  .venv/bin/headrace broker                           in a second terminal
  .venv/bin/headrace worker                           in a third
  .venv/bin/headrace send TASK FILE --label COLUMN    and watch it learn: .venv/bin/headrace status"""


@click.command()
@click.option("--broker", metavar="HOST:PORT", help="Use this broker; otherwise an embedded one is started.")
def demo(broker: str | None) -> None:
    """Watch a model learn from River's Phishing data, be killed with -9 and come back equal to the last bit.

    Then watch two workers answer questions whose labels come later, while one of them is killed.
    """
    fix_hash_seed()
    os.environ.pop("HEADRACE_KEYS", None)  # the demo's workers are its own, and open
    console = Console()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-demo-")))
        task = "phishing"
        if broker is None:
            broker = f"127.0.0.1:{embedded.free_port()}"
            process = embedded.start(broker)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            console.print(f"Broker: the embedded one, in memory, at {broker}.")
        else:
            broker = broker.removeprefix("kafka://")
            asyncio.run(check_broker(broker))
            task = f"phishing-demo-{os.getpid()}"  # a shared broker may hold an older run
            console.print(f"Broker: {broker}; the topics of this run begin with {task}.")
        config = folder / "headrace.toml"
        config.write_text(CONFIG.format(broker=broker, port=embedded.free_port(), task=task))
        later = LaterLabels(folder, broker, f"{task}-later", console)
        stack.callback(later.stop)
        equal = asyncio.run(_play(Demo(load(str(config)), console), later))
    if equal:
        console.print(NEXT)
    else:
        raise click.ClickException("the results differ, and they must not. Please report this.")


async def check_broker(broker: str) -> None:
    """BrokerError if no Kafka answers there: the demo's workers would end at once, and their log is not shown."""
    try:
        await (await connect(broker)).close()
    except BrokerError as error:
        raise BrokerError(error.what, "Start it, or leave --broker out: then an embedded one is started.") from None


async def _play(first: "Demo", second: LaterLabels) -> bool:
    playing = asyncio.create_task(first.run())
    while first.recovery is None and not playing.done():
        await asyncio.sleep(0.1)
    second.start()  # when the first worker is back: each is slower to join while others do
    return await playing and await second.run()


class Demo:
    """One run: a worker in a process of its own, rows that are sent, questions that are asked, and one kill.

    Parameters
    ----------
    settings
        Of the worker.
    console
        Where it is shown.
    """

    def __init__(self, settings: Settings, console: Console):
        from river import datasets

        self.settings, self.console = settings, console
        (self.task,) = settings.tasks.values()
        self.rows = list(datasets.Phishing())
        self.sent = self.answered = self.unanswered = 0
        self.note = "starting a worker"
        self.shard: dict[str, Any] = {}
        self.worker: subprocess.Popen[bytes] | None = None
        self.log = (settings.path.parent / "worker.log").open("wb")
        self.recovery: float | None = None

    async def run(self) -> bool:
        """Show it all; whether every figure came out equal."""
        started = time.monotonic()
        async with aiohttp.ClientSession(self.settings.address, timeout=aiohttp.ClientTimeout(2)) as http:
            try:
                self._start_worker()
                await self._wait_ready(http)
                self.console.print(
                    f"Worker: process {self.worker and self.worker.pid}, ready after {time.monotonic() - started:.1f} s."
                )
                await self._learn_and_kill(http)
                status = await self._status(http)
            finally:
                if self.worker is not None:
                    self.worker.send_signal(signal.SIGTERM)
                    self.worker.wait()
                self.log.close()
        return await self._compare(status)

    def _start_worker(self) -> None:
        command = [*HEADRACE, "worker", "--instance", "demo"]
        environment = os.environ | {"PYTHONHASHSEED": "0"}
        self.worker = subprocess.Popen(  # noqa: S603 this very program
            [*command, "--config", str(self.settings.path)], stdout=self.log, stderr=self.log, env=environment
        )

    async def _wait_ready(self, http: aiohttp.ClientSession) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with http.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
        raise HeadraceError(f"the worker was not ready within {READY_SECONDS:g} s.", "Run: headrace doctor.")

    async def _learn_and_kill(self, http: aiohttp.ClientSession) -> None:
        self.note = "learning"
        sending = asyncio.create_task(self._send())
        others = [
            asyncio.create_task(work) for work in (*(self._ask(http, n) for n in range(ASKERS)), self._watch(http))
        ]
        try:
            while self.sent < len(self.rows) // 2 and not sending.done():
                await asyncio.sleep(0.01)
            if sending.done():
                await sending  # it has failed
            assert self.worker is not None
            self.worker.kill()
            self.worker.wait()
            killed = time.monotonic()
            self.note = "the worker was killed with -9 and is on its way back, while rows go on arriving"
            self._start_worker()
            await self._wait_ready(http)
            self.recovery = time.monotonic() - killed
            self.note = f"back after {self.recovery:.1f} s, learning on"
            await sending
            while self.shard.get("updates") != len(self.rows):
                await asyncio.sleep(0.05)
                for other in others:
                    if other.done():
                        await other  # it has failed
            self.note = "all rows learned"
        finally:
            sending.cancel()
            for other in others:
                other.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)

    async def _send(self) -> None:
        started = time.monotonic()
        async with producing(self.settings.brokers) as producer:
            for number, (features, label) in enumerate(self.rows):
                value = msgspec.json.encode({"id": str(number), "features": features, "label": label})
                await producer.send_and_wait(self.task.events, value, partition=0)
                self.sent += 1
                await asyncio.sleep(max(0.0, started + number / ROWS_PER_SECOND - time.monotonic()))

    async def _ask(self, http: aiohttp.ClientSession, first: int) -> None:
        for number in itertools.count(first, ASKERS):
            features, _ = self.rows[number % len(self.rows)]
            try:
                async with http.post(f"/v1/{self.task.name}/predict", json={"features": features}) as answer:
                    await answer.read()
                    if answer.status == 200:
                        self.answered += 1
                        continue
            except (aiohttp.ClientError, OSError):
                pass
            self.unanswered += 1
            await asyncio.sleep(0.05)

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        before, answered, updates = time.monotonic(), 0, 0
        live = Live(console=self.console, auto_refresh=False, transient=True)
        with live if self.console.is_terminal else contextlib.nullcontext():
            while True:
                await asyncio.sleep(0.5 if self.console.is_terminal else 2.0)
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    shards = (await self._status(http)).get("shards")
                    self.shard = shards[0] if shards else self.shard
                now = time.monotonic()
                learned = self.shard.get("updates", 0)
                rates = (max(learned - updates, 0) / (now - before), (self.answered - answered) / (now - before))
                before, answered, updates = now, self.answered, learned
                if self.console.is_terminal:
                    live.update(self._panel(*rates), refresh=True)
                else:
                    accuracy = self._accuracy()
                    self.console.print(
                        f"{self.note}: position {learned}, accuracy {accuracy}, {rates[0]:.0f} updates/s, {rates[1]:.0f} predictions/s"
                    )

    def _accuracy(self) -> str:
        arms = self.shard.get("arms")
        accuracy = arms["champion"]["metrics"]["accuracy"] if arms else None
        return "-" if accuracy is None else f"{accuracy:.6f}"

    def _panel(self, updates: float, predictions: float) -> Table:
        table = Table(show_header=False, title=self.note, title_justify="left", min_width=60)
        table.add_row("accuracy so far", self._accuracy())
        table.add_row("position", f"{self.shard.get('position', 0)} of {len(self.rows)}")
        table.add_row("updates/s", f"{updates:.0f}")
        table.add_row("predictions/s, while learning", f"{predictions:.0f}")
        return table

    async def _status(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        async with http.get(f"/v1/{self.task.name}") as answer:
            told: dict[str, Any] = await answer.json()
            return told

    async def _compare(self, status: dict[str, Any]) -> bool:
        from river import evaluate, linear_model, metrics, optim, preprocessing

        from headrace.learning.snapshot import digest

        shard = status["shards"][0]
        served = f"{shard['arms']['champion']['metrics']['accuracy']:.6f}"
        model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005))
        local = f"{evaluate.progressive_val_score(iter(self.rows), model, metrics.Accuracy()).get():.6f}"
        learner = await self._uninterrupted(shard["position"])
        expected = digest(learner.state)
        table = Table(title="A model that was killed, beside ones that were not", title_justify="left")
        for column in ("", "accuracy", "digest begins"):
            table.add_column(column)
        table.add_row("served, killed with -9 once", served, shard["digest"][:16])
        table.add_row(
            "the same log folded without interruption",
            f"{learner.describe()['arms']['champion']['metrics']['accuracy']:.6f}",
            expected[:16],
        )
        table.add_row("River's own progressive_val_score, here", local, "")
        table.add_row("River's published benchmark", PUBLISHED, "")
        self.console.print(table)
        equal = served == local == PUBLISHED and shard["digest"] == expected
        verdict = "[bold green]Equal to the last bit.[/]" if equal else "[bold red]DIFFERENT.[/]"
        self.console.print(
            f"{verdict} {self.answered} predictions answered while learning; back {self.recovery:.1f} s after the kill "
            f"({self.unanswered} requests met no worker: there was only one)."
        )
        return equal

    async def _uninterrupted(self, end: int) -> Any:
        from headrace.learning.fold.learner import Learner

        learner, shard = Learner(self.task, 0), TopicPartition(self.task.events, 0)
        async with self.settings.brokers.consumer() as consumer:
            consumer.assign([shard])
            consumer.seek(shard, 0)
            while learner.state.position < end:
                for message in (await consumer.getmany(shard, timeout_ms=1000)).get(shard, []):
                    for _ in learner.fold(message):
                        pass
        return learner
