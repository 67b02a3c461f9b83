"""Predictions a second and their latency over HTTP, alone and while the worker learns, against a bare aiohttp server in the same run.

    PYTHONPATH=tests .venv/bin/python benchmarks/prediction.py [--seconds 8] [--rounds 3] [--json]

The load comes from wrk (Debian's package `wrk`), one thread, 16 connections, on loopback. Each round measures the bare server, the
worker alone, with every question logged without and with waiting for the broker, with a stored feature looked up for each, and while
it learns 1,000 rows a second; the medians are printed. A question that is logged is also folded: it waits for its label.
`learned_per_s` is what was really learned meanwhile.
"""

import asyncio
import itertools
import json
import multiprocessing
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import msgspec
from options import read_options
from river import datasets

from headrace.app import broker as embedded
from headrace.learning.task import Task

SCRIPT = """
wrk.method = "POST"
wrk.body = '%s'
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("@ %%d %%f %%d %%d %%d %%d\\n", summary.requests, summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(95), latency:percentile(99), bad))
end
"""
LEARNED_PER_SECOND = 1_000

TOML = """
[tasks.phishing]
kind = "binary"
[tasks.enriched]
kind = "binary"
[tasks.enriched.stored]
clicks = { default = 0 }
"""


def load(address: str, seconds: int, folder: Path, task: str = "phishing", **more: str) -> dict[str, float]:
    """Requests, how many a second, and milliseconds at three percentiles."""
    features, _ = next(iter(datasets.Phishing()))
    script = folder / "ask.lua"
    script.write_text(SCRIPT % json.dumps({"features": features} | more))
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script), f"{address}/v1/{task}/predict"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    asked, rate, p50, p95, p99, bad = re.search(r"@ (\d+) (\S+) (\d+) (\d+) (\d+) (\d+)", output).groups()
    if int(bad):
        raise RuntimeError(f"{bad} requests failed:\n{output}")
    figures = {"per_s": float(rate), "p50_ms": int(p50) / 1000, "p95_ms": int(p95) / 1000, "p99_ms": int(p99) / 1000}
    return {"asked": int(asked), **figures}


def feed(broker: str, topic: str, count: int, rate: float) -> None:
    """Append rows at a rate; runs in a process of its own."""
    rows = itertools.cycle(datasets.Phishing())
    values = (msgspec.json.encode({"features": x, "label": y}) for x, y in itertools.islice(rows, count))
    asyncio.run(harness.append(broker, topic, ((0, value) for value in values), rate))


def position(worker: harness.Worker) -> int:
    """How far the worker has folded the log."""
    return worker.get("/v1/phishing", timeout=10)["shards"][0]["position"]


def is_at_end(worker: harness.Worker) -> bool:
    """Whether the worker has folded all there is."""
    (shard,) = worker.get("/v1/phishing", timeout=10)["shards"]
    return shard["position"] == shard["end"]


def has_logged(worker: harness.Worker, asked: int) -> bool:
    """Whether as many questions are in the log as were asked with nobody waiting for it. None may have been left out."""
    logging = worker.get("/v1/phishing", timeout=10)["logging"]
    if logging["refused"] or logging["failed"]:
        raise RuntimeError(f"questions were not logged: {logging}")
    return logging["appended"] >= asked


def measure(broker: str, seconds: int, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Medians over the rounds, for the bare server and for each thing that the worker does."""
    task = Task(name="phishing", kind="binary")
    harness.make_topics(broker, task)
    feed(broker, task.events, 1250, 100_000)
    worker = harness.Worker(folder / "w", broker, TOML).start()
    port = harness.free_port()
    bare = subprocess.Popen([sys.executable, str(Path(__file__).with_name("bare_server.py")), str(port)])
    doing = ("bare", "alone", "log async", "log durable", "enriched", "learning")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in doing}
    try:
        worker.wait_ready()
        harness.wait_for(lambda: position(worker) >= 1250, 30, "all rows learned")
        assert worker.post("/v1/enriched/features/u1", {"clicks": 3}, method="PUT")[0] == 202
        harness.wait_for(lambda: worker.get("/v1/enriched/features/u1") is not None, 30, "the stored feature")
        harness.wait_for(lambda: embedded.is_listening("127.0.0.1", port), 30, "the bare server")
        for _ in range(rounds):
            found["bare"].append(load(f"http://127.0.0.1:{port}", seconds, folder))
            found["alone"].append(load(worker.address, seconds, folder))
            for log in ("async", "durable"):
                found[f"log {log}"].append(load(worker.address, seconds, folder, log=log))
                asked = sum(run["asked"] for run in found["log async"])
                harness.wait_for(lambda: has_logged(worker, asked), 120, "all questions logged")  # noqa: B023
                harness.wait_for(lambda: is_at_end(worker), 120, "all questions folded")
            found["enriched"].append(load(worker.address, seconds, folder, "enriched", key="u1"))
            count = int((seconds + 2) * LEARNED_PER_SECOND)
            feeder = multiprocessing.get_context("spawn").Process(
                target=feed, args=(broker, task.events, count, LEARNED_PER_SECOND), daemon=True
            )
            before = position(worker)
            feeder.start()
            harness.wait_for(lambda: position(worker) > before, 30, "learning")  # noqa: B023
            before, started = position(worker), time.perf_counter()
            figures = load(worker.address, seconds, folder)
            learned = (position(worker) - before) / (time.perf_counter() - started)
            found["learning"].append(figures | {"learned_per_s": learned})
            feeder.join()
            time.sleep(1)
    finally:
        bare.kill()
        bare.wait()
        worker.stop("SIGKILL")
    return {
        name: {figure: statistics.median(one[figure] for one in runs) for figure in runs[0]}
        for name, runs in found.items()
    }


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, seconds=8, rounds=3)
    if shutil.which("wrk") is None:
        print("skipped: wrk is missing. Install it: apt-get install wrk.", file=sys.stderr)
        return
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        found = measure(broker, options.seconds, options.rounds, Path(folder))
    ratio = found["alone"]["per_s"] / found["bare"]["per_s"]
    if options.json:
        print(json.dumps(found | {"alone_to_bare": round(ratio, 2)}))
        return
    print(f"{'':12} {'per_s':>10} {'p50_ms':>8} {'p95_ms':>8} {'p99_ms':>8}")
    for name, figures in found.items():
        print(
            f"{name:12} {figures['per_s']:>10,.0f} "
            + " ".join(f"{figures[p]:>8.2f}" for p in ("p50_ms", "p95_ms", "p99_ms"))
        )
    print(f"alone, as part of bare: {ratio:.2f}; learned meanwhile: {found['learning']['learned_per_s']:,.0f} rows/s")


if __name__ == "__main__":
    main()
