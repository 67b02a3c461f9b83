"""How long from appending a sample until a prediction is made by a model that has learned it.

    PYTHONPATH=tests .venv/bin/python benchmarks/freshness.py [--samples 300] [--json]

A sample is appended by a producer of its own; then one connection asks for predictions until the answer's `position` is past it. On an
idle worker, and on one that learns 1,000 rows a second.
"""

import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import harness
import msgspec
from options import read_options
from prediction import LEARNED_PER_SECOND, feed
from river import datasets

from headrace.learning.task import Task
from headrace.tables.kafka.producer import producing


async def fresh(broker: str, address: str, topic: str, samples: int) -> list[float]:
    """Milliseconds for each of some samples."""
    rows, found = list(datasets.Phishing()), []
    async with producing(broker) as producer, aiohttp.ClientSession(address) as http:
        for number in range(samples):
            features, label = rows[number % len(rows)]
            value = msgspec.json.encode({"features": features, "label": label})
            started = time.perf_counter()
            written = await producer.send_and_wait(topic, value, partition=0)
            while True:
                async with http.post("/v1/phishing/predict", json={"features": features}) as answer:
                    if (await answer.json())["position"] > written.offset:
                        break
            found.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.02)
    return found


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, samples=300)
    task, figures = Task(name="phishing", kind="binary"), {}
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        harness.make_topics(broker, task)
        worker = harness.Worker(Path(folder), broker, '[tasks.phishing]\nkind = "binary"\n').start()
        try:
            worker.wait_ready()
            for name in ("idle", "learning"):
                feeder = multiprocessing.get_context("spawn").Process(
                    target=feed,
                    args=(broker, task.events, 60 * LEARNED_PER_SECOND, LEARNED_PER_SECOND),
                    daemon=True,
                )
                if name == "learning":
                    feeder.start()
                    time.sleep(3)
                took = asyncio.run(fresh(broker, worker.address, task.events, options.samples))
                cuts = statistics.quantiles(took, n=100)
                figures[name] = {
                    "p50_ms": round(cuts[49], 1),
                    "p95_ms": round(cuts[94], 1),
                    "max_ms": round(max(took), 1),
                }
                if name == "learning":
                    if not feeder.is_alive():
                        raise RuntimeError("the rows ran out before the samples; ask for fewer samples")
                    feeder.kill()
        finally:
            worker.stop("SIGKILL")
    if options.json:
        print(json.dumps(figures))
        return
    for name, one in figures.items():
        print(f"{name:10} " + "  ".join(f"{figure} {value}" for figure, value in one.items()))


if __name__ == "__main__":
    main()
