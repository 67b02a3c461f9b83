"""How long until a worker can answer: from its first start, and after kill -9 with and without static membership.

    PYTHONPATH=tests .venv/bin/python benchmarks/recovery.py [--rounds 5] [--json]

Measured from the start of the process to `GET /readyz` answering 200; the model has learned 1,250 rows before each kill, and must have
them again when it is ready. `import` is the part that goes into loading Python, Faust and River, measured in processes of its own.
`joining` is the part from the first answer of the web server to being ready: joining the group and opening the shard.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
from options import read_options
from prediction import feed

from headrace.learning.task import Task

ROWS = 1_250
END = ROWS + 1
"""Behind the rows is the definition, which the first owner appends."""
SECONDS_MAX = 60
"""How long a worker may take to be ready."""


def until_ready(worker: harness.Worker) -> tuple[float, float]:
    """Seconds from starting a worker until it is ready, and those of them since it first answered at all."""
    started = time.perf_counter()
    worker.start()
    answered = None
    while worker.get("/readyz", timeout=0.5) is None:
        if answered is None and worker.get("/healthz", timeout=0.5) is not None:
            answered = time.perf_counter()
        if time.perf_counter() - started > SECONDS_MAX:
            raise TimeoutError(f"not ready within {SECONDS_MAX} s; its log:\n{worker.log()[-2000:]}")
        time.sleep(0.02)
    ready = time.perf_counter()
    return ready - started, ready - (answered or ready)


def position(worker: harness.Worker, task: Task) -> int:
    """How far a worker has folded the log."""
    return worker.get(f"/v1/{task.name}")["shards"][0].get("position", 0)


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, rounds=5)
    found: dict[str, list[float]] = {"import": []}

    def start(name: str, worker: harness.Worker) -> None:
        for figure, took in zip((name, f"{name}, joining"), until_ready(worker), strict=True):
            found.setdefault(figure, []).append(took)

    environment = os.environ | {"PYTHONPATH": str(harness.ROOT)}
    for _ in range(options.rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import headrace.app.worker"], check=True, env=environment)
        found["import"].append(time.perf_counter() - started)
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        for name, instance in [(f"first{number}", None) for number in range(options.rounds)] + [
            ("static", "one"),
            ("dynamic", None),
        ]:
            task = Task(name=name, kind="binary")
            harness.make_topics(broker, task)
            feed(broker, task.events, ROWS, 100_000)
            worker = harness.Worker(
                Path(folder) / name, broker, f'[tasks.{name}]\nkind = "binary"\n', instance=instance
            )
            try:
                if name.startswith("first"):
                    start("first start", worker)
                    continue
                worker.start().wait_ready()
                harness.wait_for(lambda: position(worker, task) == END, 30, "all rows learned")  # noqa: B023
                for _ in range(options.rounds):
                    time.sleep(1.5)  # a snapshot is due after one second
                    worker.stop("SIGKILL")
                    start(f"killed, {name}", worker)
                    if position(worker, task) != END:
                        raise RuntimeError(f"ready at {position(worker, task)}, not at {END}, where it was killed")
            finally:
                worker.stop("SIGKILL")
    figures = {
        name: {"median_s": round(statistics.median(took), 2), "max_s": round(max(took), 2)}
        for name, took in found.items()
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, one in figures.items():
        print(f"{name:24} median {one['median_s']} s, max {one['max_s']} s")


if __name__ == "__main__":
    main()
