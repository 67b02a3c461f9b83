"""Two workers that are killed in turn, and a client that keeps asking both: what the availability test and benchmark share."""

import asyncio
import contextlib
import itertools
import random
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import harness

from headrace.learning.task import Task

SHARDS = 4
LEARNED_PER_SECOND = 200


class Answered(NamedTuple):
    """What became of a question: how long it took since it was due, how stale the answer said it was, how many workers were asked."""

    seconds: float
    staleness: float
    workers: int


class Client:
    """Asks at a fixed rate, one worker and then the other in turn; one that refuses or drops a connection is passed over for the other.

    Parameters
    ----------
    workers
        Two.
    task
        Its name.
    rate
        Questions a second. They are asked when they are due, whether or not earlier ones are answered.
    """

    def __init__(self, workers: list[harness.Worker], task: str, rate: float):
        self.workers, self.path, self.rate = workers, f"/v1/{task}/predict", rate
        self.answered: list[Answered] = []
        self.failed: list[str] = []

    async def run(self, until: asyncio.Event) -> None:
        """Ask until told to stop, and wait for the last answers."""
        asking: set[asyncio.Task] = set()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
            started, number = time.perf_counter(), 0
            while not until.is_set():
                due = started + number / self.rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                task = asyncio.create_task(self._ask(http, number, due))
                asking.add(task)
                task.add_done_callback(asking.discard)
                number += 1
            if asking:
                await asyncio.wait(asking)

    async def _ask(self, http: aiohttp.ClientSession, number: int, due: float) -> None:
        key, problems = f"user-{number % 50}", []
        question = {"features": {"x": number % 7 / 3.5}, "key": key}
        for asked in (1, 2):
            worker = self.workers[(number + asked) % 2]
            try:
                async with http.post(worker.address + self.path, json=question) as answer:
                    told = await answer.json()
            except (aiohttp.ClientConnectionError, ConnectionError) as error:
                problems.append(repr(error))
                continue
            except TimeoutError as error:
                problems.append(repr(error))
                break
            if answer.status != 200:
                problems.append(str(told))
                break
            self.answered.append(Answered(time.perf_counter() - due, told["staleness_s"], asked))
            return
        self.failed.append("; ".join(problems))

    def figures(self) -> dict[str, float]:
        """What there is to publish."""
        seconds = sorted(answered.seconds for answered in self.answered)
        staleness = sorted(answered.staleness for answered in self.answered)
        slow, stale = statistics.quantiles(seconds, n=1000), statistics.quantiles(staleness, n=100)
        return {
            "asked": len(self.answered) + len(self.failed),
            "failed": len(self.failed),
            "retried": sum(answered.workers > 1 for answered in self.answered),
            "p50_ms": round(statistics.median(seconds) * 1000, 1),
            "p99_ms": round(slow[989] * 1000, 1),
            "p99.9_ms": round(slow[998] * 1000, 1),
            "max_ms": round(seconds[-1] * 1000, 1),
            "staleness_p50_s": round(statistics.median(staleness), 2),
            "staleness_p99_s": round(stale[98], 2),
            "staleness_max_s": round(staleness[-1], 2),
        }


def samples() -> Iterator[tuple[int, bytes]]:
    """Samples of all shards, endlessly."""
    dice = random.Random(5)
    while True:
        x = dice.gauss(0, 1)
        value = b'{"features": {"x": %f}, "label": %s}' % (x, b"true" if x + dice.gauss(0, 0.5) > 0 else b"false")
        yield dice.randrange(SHARDS), value


async def kill(workers: list[harness.Worker], kills: int, signals: list[str], seed: int, tell) -> None:
    """End one worker, start it again, wait until it is ready, and so on. They are never both gone: that no client survives."""
    dice = random.Random(seed)
    for number in range(kills):
        await asyncio.sleep(dice.uniform(0.5, 3))
        worker, name = workers[number % 2], dice.choice(signals)
        await asyncio.to_thread(worker.stop, name)
        await asyncio.sleep(dice.uniform(0, 2))
        started = time.perf_counter()
        await asyncio.to_thread(lambda one: one.start().wait_ready(), worker)
        tell(f"{number + 1}/{kills}: {name}; ready again {time.perf_counter() - started:.1f} s after its start")


def seen(workers: list[harness.Worker], partition: int) -> list[dict]:
    """What each worker that answers tells of a shard."""
    status = [worker.get(f"/v1/{worker.task}") or {"shards": []} for worker in workers]
    return [shard for one in status for shard in one["shards"] if shard["partition"] == partition]


@contextlib.asynccontextmanager
async def under_load(
    broker: str,
    folder: Path,
    more: str = "",
    *,
    rate: float,
    static: bool,
    rows: Iterator[tuple[int, bytes]] | None = None,
) -> AsyncIterator[tuple[list[harness.Worker], Client]]:
    """Run two workers of one task that learns and is asked all the while; nothing is sent any more when the block has ended.

    Parameters
    ----------
    broker, folder
        Where its log is, and where the workers have theirs.
    more
        Further lines of the task's settings.
    rate
        Questions a second.
    static
        Whether the workers are static members of their group.
    rows
        What it learns: the shard and the record of each.
    """
    task = Task(name=f"answers{random.SystemRandom().randrange(10**6)}", kind="binary", partitions=SHARDS)
    toml = f'[tasks.{task.name}]\nkind = "binary"\npartitions = {SHARDS}\n{more}'
    workers = [harness.Worker(folder / name, broker, toml, instance=name if static else None) for name in ("a", "b")]
    client, done = Client(workers, task.name, rate), asyncio.Event()
    try:
        for worker in workers:
            worker.task = task.name
            worker.start()
        for worker in workers:
            await asyncio.to_thread(worker.wait_ready)
        fed = itertools.takewhile(lambda _: not done.is_set(), rows or samples())
        feeding = asyncio.create_task(harness.append(broker, task.events, fed, LEARNED_PER_SECOND))
        asking = asyncio.create_task(client.run(done))
        try:
            yield workers, client
        finally:
            done.set()
            await asking
            await feeding
    finally:
        for worker in workers:
            worker.stop("SIGKILL")


async def measure(
    broker: str, folder: Path, *, kills: int, rate: float, seed: int, static: bool, signals: list[str], tell=print
) -> Client:
    """One run; the client, with what became of all its questions."""
    async with under_load(broker, folder, rate=rate, static=static) as (workers, client):
        await kill(workers, kills, signals, seed, tell)
        await asyncio.sleep(1)
    return client
