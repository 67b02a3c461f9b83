"""How long until a worker can answer: from its first start, and after kill -9 with and without static membership.

    PYTHONPATH=tests .venv/bin/python benchmarks/recovery.py [--rounds 5] [--json]

Measured from the start of the process to `GET /readyz` answering 200; the model has learned 1,250 rows before each kill. `import` is the
part that goes into loading Python, Faust and River.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
from prediction import feed

from learning.task import Task


def until_ready(worker: harness.Worker) -> float:
    """Seconds from starting a worker until it is ready."""
    started = time.perf_counter()
    worker.start()
    while worker.get("/readyz", timeout=0.5) is None:
        time.sleep(0.02)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found: dict[str, list[float]] = {"first start": [], "static": [], "dynamic": [], "import": []}
    environment = os.environ | {"PYTHONPATH": str(harness.ROOT)}
    for _ in range(options.rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import app.worker"], check=True, env=environment)
        found["import"].append(time.perf_counter() - started)
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        for name, instance in (("static", "one"), ("dynamic", None)):
            task = Task(name=name, kind="binary")
            harness.make_topics(broker, task)
            feed(broker, task.events, 1250, 100_000)
            worker = harness.Worker(
                Path(folder) / name, broker, f'[tasks.{name}]\nkind = "binary"\n', instance=instance
            )
            try:
                found["first start"].append(until_ready(worker))
                for _ in range(options.rounds):
                    time.sleep(3)
                    worker.stop("SIGKILL")
                    found[name].append(until_ready(worker))
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
        print(f"{name:12} median {one['median_s']} s, max {one['max_s']} s")


if __name__ == "__main__":
    main()
