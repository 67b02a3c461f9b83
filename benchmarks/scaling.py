"""What several processes of one worker do together: rows learned and questions answered a second, and memory, by the number of processes.

    PYTHONPATH=tests .venv/bin/python benchmarks/scaling.py [--rows 100000] [--seconds 6] [--json]

A task with four shards on a new worker of 1, 2 and 4 processes (`headrace worker --processes`) each time. When each process has a shard,
rows are appended to all shards as fast as the broker takes them, 50 in a message: `learned_per_s` is counted from the first to the last
row learned. Then `headrace bench` asks as many questions as 32 connections can. Memory is the proportional set size (PSS) of
a process, the mean of all; `parent_mb` is that of the process that starts them.

The load, the broker and the processes share the machine. With two cores, two processes show that shards and connections are shared out;
how far a machine with more cores goes is not shown, and four processes can be no faster than two.
"""

import asyncio
import itertools
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

import harness
import msgspec
from options import read_options
from river import datasets

from headrace.learning.task import Task

COUNTS = (1, 2, 4)
SHARDS = 4
PACK = 50
CONNECTIONS = 32


class Processes(harness.Worker):
    """A worker of several processes.

    Parameters
    ----------
    count
        How many.
    """

    def __init__(self, folder: Path, broker: str, task: str, count: int):
        super().__init__(folder, broker, f'[tasks.{task}]\nkind = "binary"\npartitions = {SHARDS}\n')
        text, old = self.config.read_text(), self.port
        self.count, self.task, self.port = count, task, harness.steady_port(count + 1)
        self.address = f"http://127.0.0.1:{self.port}"
        self.config.write_text(text.replace(f":{old}", f":{self.port}"))

    def arguments(self) -> list[str]:
        """Return the command and its arguments."""
        return [*super().arguments(), "--processes", str(self.count)]

    def shards(self) -> list[list[dict]]:
        """Return the shards that each process owns."""
        found = []
        for number in range(1, self.count + 1):
            answer = harness.HTTP.get(f"http://127.0.0.1:{self.port + number}/v1/{self.task}", timeout=30)
            found.append([shard for shard in answer.json()["shards"] if shard["state"] == "live"])
        return found

    def updates(self) -> int:
        """Return how many rows all processes have learned in the shards that they own."""
        return sum(shard["updates"] for shards in self.shards() for shard in shards)

    def megabytes(self) -> list[float]:
        """Return the memory of each process."""
        pids = [(self.folder / f"data/process-{n}/worker.pid").read_text() for n in range(1, self.count + 1)]
        return [memory_of(int(pid)) for pid in pids]


def memory_of(pid: int) -> float:
    """Return the PSS of a process, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("Pss:"))) * 1024 / 1e6


def fill(broker: str, task: str, rows: int) -> None:
    """Append rows to the shards of a task, in turn; runs in a process of its own."""
    given = (msgspec.json.encode({"features": x, "label": y}) for x, y in itertools.cycle(datasets.Phishing()))
    packed = (b"\n".join(itertools.islice(given, PACK)) for _ in range(rows // PACK))
    placed = ((number % SHARDS, value) for number, value in enumerate(packed))
    asyncio.run(harness.append(broker, f"{task}.events", placed))


def measure(broker: str, folder: Path, count: int, rows: int, seconds: int) -> dict[str, float]:
    """Return the figures of so many processes."""
    task = f"scaling-{count}"
    harness.make_topics(broker, Task(name=task, kind="binary", partitions=SHARDS))
    worker = Processes(folder / task, broker, task, count).start()
    try:
        worker.wait_ready(120)
        assert worker.process is not None
        harness.wait_for(lambda: all(worker.shards()), 120, "a shard for each process")
        feeder = multiprocessing.get_context("spawn").Process(target=fill, args=(broker, task, rows), daemon=True)
        feeder.start()
        started, first = 0.0, 0
        while (learned := worker.updates()) < rows:
            if not started and learned:
                started, first = time.perf_counter(), learned
            time.sleep(0.02)
        per_s = (rows - first) / (time.perf_counter() - started)
        feeder.join()
        words = ("--connections", str(CONNECTIONS), "--seconds", str(seconds), "--json")
        asked = json.loads(worker.run("bench", task, *words).stdout)["requests"]["question"]
        return {
            "learned_per_s": per_s,
            "answered_per_s": asked["per_s"],
            "failed": asked["failed"],
            "p99_ms": asked["p99_ms"],
            "process_mb": statistics.mean(worker.megabytes()),
            "parent_mb": memory_of(worker.process.pid),
        }
    finally:
        worker.stop()


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, rows=100_000, seconds=6)
    found = {}
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            found[count] = measure(broker, Path(folder), count, options.rows, options.seconds)
    if options.json:
        print(json.dumps({"cpus": len(os.sched_getaffinity(0)), "processes": found}))
        return
    print(f"{len(os.sched_getaffinity(0))} CPUs")
    names = list(found[COUNTS[0]])
    print("processes " + " ".join(f"{name:>14}" for name in names))
    for count, figures in found.items():
        print(f"{count:9} " + " ".join(f"{figures[name]:>14,.1f}" for name in names))


if __name__ == "__main__":
    main()
