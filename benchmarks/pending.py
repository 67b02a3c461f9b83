"""What a million questions that wait for their labels cost: memory, snapshots, the time a label takes, a restart.

    PYTHONPATH=tests .venv/bin/python benchmarks/pending.py [--questions 1000000] [--labels 300] [--json]

The same is measured twice on one worker: with next to nothing waiting, and with all questions waiting. A label's time is from appending it
until a prediction is made by a model that has learned it. A snapshot's time is that of sealing the worker's own last state in this
process. At last the worker is killed and started again, with its data and without.
"""

import asyncio
import json
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import harness
import msgspec
from memory import resident_mb
from options import read_options
from river import datasets

from headrace.learning.snapshot import seal, unseal
from headrace.learning.task import Task
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka.producer import producing
from headrace.tables.snapshots import Snapshots
from headrace.tables.table import Table

PACK = 50
SECONDS_MAX = 600
SEALS = 20


def questions(first: int, count: int):
    """Packed questions, numbered."""
    rows = [x for x, _ in datasets.Phishing()]
    for start in range(first, first + count, PACK):
        numbers = range(start, min(start + PACK, first + count))
        yield (
            0,
            b"\n".join(msgspec.json.encode({"id": f"q{n:08}", "features": rows[n % len(rows)]}) for n in numbers),
        )


async def label_latency(broker: str, address: str, topic: str, names: list[str]) -> list[float]:
    """Milliseconds from appending each label until a model that has learned it answers."""
    found = []
    features, _ = next(iter(datasets.Phishing()))
    async with producing(broker) as producer, aiohttp.ClientSession(address) as http:
        for name in names:
            started = time.perf_counter()
            value = msgspec.json.encode({"id": name, "label": True})
            written = await producer.send_and_wait(topic, value, partition=0)
            while True:
                async with http.post("/v1/phishing/predict", json={"features": features}) as answer:
                    if (await answer.json())["position"] > written.offset:
                        break
            found.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.02)
    return found


async def last_snapshot(broker: str, task: Task, folder: Path) -> bytes:
    """The furthest snapshot there is, as the worker wrote it."""
    changelog = KafkaChangelog(f"{task.name}.snapshots", broker)
    table = Table(changelog, folder)
    await table.open(0)
    found = Snapshots(table, "reader").load(0)
    table.close(0)
    await changelog.stop()
    shutil.rmtree(folder)
    assert found is not None
    return found[1]


def measure(broker: str, worker: harness.Worker, task: Task, folder: Path, names: list[str]) -> dict[str, float]:
    """The figures as things stand."""
    took = asyncio.run(label_latency(broker, worker.address, task.events, names))
    cuts = statistics.quantiles(took, n=100)
    time.sleep(3)  # the last snapshot
    sealed = asyncio.run(last_snapshot(broker, task, folder / "reader"))
    state, seals = unseal(sealed, task, 0), []
    for _ in range(SEALS):
        started = time.perf_counter()
        seal(state, task, 0, writer="benchmark")
        seals.append((time.perf_counter() - started) * 1000)
    assert worker.process is not None
    return {
        "waiting": state.join.waiting,
        "label_p50_ms": round(cuts[49], 1),
        "label_p95_ms": round(cuts[94], 1),
        "snapshot_bytes": len(sealed),
        "snapshot_ms": round(statistics.median(seals), 2),
        "resident_mb": round(resident_mb(worker.process.pid)),
        "most_resident_mb": round(resident_mb(worker.process.pid, "VmHWM")),
    }


def wait_folded(worker: harness.Worker, messages: int) -> None:
    """Wait until the worker has folded so many messages."""

    def is_folded() -> bool:
        told = worker.get("/v1/phishing", timeout=10)
        return told is not None and told["shards"][0]["position"] >= messages

    harness.wait_for(is_folded, SECONDS_MAX, lambda: f"{messages:,} messages folded; log: {worker.log()[-2000:]}")


def restart(worker: harness.Worker, wipe: bool) -> float:
    """Seconds from the start after a kill until the worker is ready."""
    worker.stop("SIGKILL")
    if wipe:
        shutil.rmtree(worker.folder / "data")
    started = time.perf_counter()
    worker.start().wait_ready(120)
    return round(time.perf_counter() - started, 1)


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, questions=1_000_000, labels=300)
    task, figures = Task(name="phishing", kind="binary"), {}
    dice = random.Random(1)
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        harness.make_topics(broker, task)
        worker = harness.Worker(Path(folder), broker, '[tasks.phishing]\nkind = "binary"\n', instance="one").start()
        try:
            worker.wait_ready()
            # The metrics' windows are full from here on, so what a snapshot grows by is not theirs.
            samples = [msgspec.json.encode({"features": x, "label": y}) for x, y in datasets.Phishing()]
            appended = asyncio.run(harness.append(broker, task.events, ((0, sample) for sample in samples)))
            for name, first, count in (("few", 0, 1_000), ("many", 1_000, options.questions)):
                started = time.perf_counter()
                asyncio.run(harness.append(broker, task.events, questions(first, count)))
                appended += -(-count // PACK)
                wait_folded(worker, appended)
                seconds = time.perf_counter() - started
                names = [f"q{number:08}" for number in dice.sample(range(first, first + count), options.labels)]
                figures[name] = {"questions_per_s": round(count / seconds)}
                figures[name] |= measure(broker, worker, task, Path(folder), names)
                appended += options.labels
            disk = sum(path.stat().st_size for path in (worker.folder / "data").rglob("*") if path.is_file())
            figures["many"]["disk_mb"] = round(disk / 2**20)
            figures["ready_after_kill_s"] = {
                "with_data": restart(worker, wipe=False),
                "without": restart(worker, wipe=True),
            }
        finally:
            worker.stop("SIGKILL")
    if options.json:
        print(json.dumps(figures))
        return
    for name, one in figures.items():
        print(f"{name:20} " + "  ".join(f"{figure} {value:,}" for figure, value in one.items()))


if __name__ == "__main__":
    main()
