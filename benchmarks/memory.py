"""The memory of a worker that finds a million rows waiting.

    PYTHONPATH=tests .venv/bin/python benchmarks/memory.py [--rows 1000000] [--json]

The rows are in the log before the worker starts. Its resident memory is read from /proc until all are learned; the most is the
kernel's own mark, which misses nothing between two readings.
"""

import asyncio
import itertools
import json
import tempfile
import time
from pathlib import Path

import harness
import msgspec
from options import read_options
from river import datasets

from headrace.app.settings import Worker
from headrace.learning.task import Task

SECONDS_MAX = 300
"""How long the worker may take for all rows."""


def resident_mb(pid: int, figure: str = "VmRSS") -> float:
    """Resident memory of a process: now, or the most there ever was (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(figure):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, rows=1_000_000)
    task = Task(name="phishing", kind="binary")
    values = [msgspec.json.encode({"features": x, "label": y}) for x, y in datasets.Phishing()]
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        harness.make_topics(broker, task)
        waiting = ((0, value) for value in itertools.islice(itertools.cycle(values), options.rows))
        asyncio.run(harness.append(broker, task.events, waiting))
        worker = harness.Worker(Path(folder), broker, '[tasks.phishing]\nkind = "binary"\n').start()
        try:
            worker.wait_ready()
            assert worker.process is not None
            seen, position = [], 0
            deadline = time.monotonic() + SECONDS_MAX
            while position < options.rows:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"at {position:,} rows after {SECONDS_MAX} s; its log:\n{worker.log()[-2000:]}")
                time.sleep(0.25)
                seen.append(resident_mb(worker.process.pid))
                position = (worker.get("/v1/phishing", timeout=10) or {"shards": [{}]})["shards"][0].get("position", 0)
            most = resident_mb(worker.process.pid, "VmHWM")
        finally:
            worker.stop("SIGKILL")
    figures = {
        "rows_waiting": options.rows,
        "at_first_mb": round(seen[0]),
        "most_mb": round(most),
        "at_last_mb": round(seen[-1]),
        "buffer_bytes": Worker().buffer_bytes,
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:14} {value:>10,}")


if __name__ == "__main__":
    main()
