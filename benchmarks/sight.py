"""What it costs to be seen: the worker's processor time for each row while Prometheus and browsers look or traces are sent, beside while nobody does.

    PYTHONPATH=tests .venv/bin/python benchmarks/sight.py [--rate 5000] [--seconds 20] [--rounds 3]

A worker on a real Kafka learns rows at a steady rate. In turns of so many seconds nobody looks, and then `/metrics` is scraped every 5 s, a
page with its live feed is open, and `GET /v1/{task}/metrics` is asked every 5 s. A second worker sends all its traces to a collector, which
takes them and does nothing, while nobody looks. It prints the processor time of the worker for each row, the lowest of the rounds, and their
ratio. The history is measured in the fold, always; its share is printed from a fold in this process.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import harness

from headrace.learning.fold import learner as fold_of
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.producer import producing

LOOK_SECONDS = 5.0
ROWS = 60_000


def row(dice: random.Random) -> bytes:
    """A row of eight features."""
    x = {f"x{number}": round(dice.gauss(0, 1), 4) for number in range(8)}
    return json.dumps({"features": x, "label": x["x0"] + x["x1"] > 0}).encode()


async def send(broker: str, topic: str, rate: float, seconds: float) -> int:
    """Send rows at a rate, 50 at a time; return how many."""
    dice, sent, started = random.Random(1), 0, time.monotonic()
    async with producing(Brokers(broker)) as producer:
        while (passed := time.monotonic() - started) < seconds:
            while sent < passed * rate:
                for _ in range(50):
                    future = await producer.send(topic, row(dice), partition=0)
                sent += 50
            await asyncio.sleep(0.01)
        await future
    return sent


async def look(worker: harness.Worker, task: str) -> None:
    """Scrape, keep a live feed open, and ask for the history, until cancelled."""

    async def live(http: aiohttp.ClientSession) -> None:
        async with http.get(f"{worker.address}/tasks/{task}/live") as feed:
            async for _ in feed.content:
                pass

    async def ask(http: aiohttp.ClientSession, path: str) -> None:
        while True:
            async with http.get(worker.address + path) as answer:
                await answer.read()
            await asyncio.sleep(LOOK_SECONDS)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(None)) as http, asyncio.TaskGroup() as group:
        group.create_task(live(http))
        group.create_task(ask(http, "/metrics"))
        group.create_task(ask(http, f"/v1/{task}/metrics"))


@contextlib.contextmanager
def collecting() -> Iterator[str]:
    """A collector of OTLP over HTTP, which takes what comes: its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def cpu(pid: int) -> float:
    """The processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def turn(worker: harness.Worker, broker: str, task: str, rate: float, seconds: float, *, seen: bool) -> float:
    """The worker's processor time for each row of a turn, in microseconds."""
    eyes = asyncio.create_task(look(worker, task)) if seen else None
    before = cpu(worker.process.pid)
    count = await send(broker, f"{task}.events", rate, seconds)
    end = worker.get(f"/v1/{task}")["shards"][0]["end"]
    while worker.get(f"/v1/{task}")["shards"][0]["position"] < end:
        await asyncio.sleep(0.2)
    used = cpu(worker.process.pid) - before
    if eyes is not None:
        eyes.cancel()
        await asyncio.gather(eyes, return_exceptions=True)
    return used / count * 1e6


def history_share() -> float:
    """The share of the time of a fold that goes into the points of the history."""
    dice = random.Random(2)
    messages = [Message(at, row(dice), timestamp=at) for at in range(ROWS)]
    spent, measure = 0.0, fold_of.measure

    def timed(*parts: object) -> None:
        nonlocal spent
        started = time.process_time()
        measure(*parts)
        spent += time.process_time() - started

    fold_of.measure = timed
    try:
        learner, started = Learner(Task(name="sight", kind="binary"), 0), time.process_time()
        for message in messages:
            for _ in learner.fold(message):
                pass
        return spent / (time.process_time() - started)
    finally:
        fold_of.measure = measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5_000.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    name = f"sight-{uuid.uuid4().hex[:6]}"
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder, collecting() as collector:
        workers: dict[str, harness.Worker] = {}
        for task in (name, f"{name}-traced"):
            workers[task] = harness.Worker(Path(folder, task), broker, f'[tasks.{task}]\nkind = "binary"\n')
        try:
            for task, worker in workers.items():
                if task != name:
                    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
                worker.start().wait_ready()
                asyncio.run(turn(worker, broker, task, options.rate, 5.0, seen=False))
            turns = {
                "nobody looks": (name, False),
                "/metrics, a page and the history": (name, True),
                "all traces": (f"{name}-traced", False),
            }
            costs: dict[str, list[float]] = {what: [] for what in turns}
            for _ in range(options.rounds):
                for what, (task, seen) in turns.items():
                    cost = asyncio.run(turn(workers[task], broker, task, options.rate, options.seconds, seen=seen))
                    costs[what].append(cost)
        finally:
            for worker in workers.values():
                worker.stop()
    alone = min(costs["nobody looks"])
    print(f"{options.rate:,.0f} rows/s, {options.rounds} rounds of {options.seconds:g} s\n")
    print("| | us of the worker's processor for each row | of that alone |\n|---|---|---|")
    for what, each in costs.items():
        print(f"| {what} | {min(each):.1f} (median {statistics.median(each):.1f}) | {min(each) / alone:.3f} |")
    print(f"\nPoints of the history take {history_share():.1%} of the fold of {ROWS:,} rows from the first one on.")


if __name__ == "__main__":
    main()
