"""Predictions a second and their latency over HTTP, alone and while the worker learns, against two bare servers in the same run.

    PYTHONPATH=tests .venv/bin/python benchmarks/prediction.py [--seconds 8] [--rounds 3] [--json]

The load comes from wrk (Debian's package `wrk`), one thread, 16 connections, on loopback. Each round measures a bare aiohttp server and a
bare protocol on httptools, if that is installed; the worker alone, and by the ordinary way without the lane; with every question logged
without and with waiting for the broker; with a stored feature looked up for each; and while it learns 1,000 rows a second: as fast as it can,
and with about 10,000 questions a second. The medians are printed, and each as a part of what the bare aiohttp server did in the same round.
A question that is logged is also folded: it waits for its label. `learned_per_s` is what was really learned meanwhile.
`at a rate` is an open loop of 500 questions a second by `headrace bench`, whose latencies leave no waiting out; wrk's are those of a closed loop.
"""

import asyncio
import contextlib
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
from collections.abc import Iterator
from importlib.util import find_spec
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
%s
done = function(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("@ %%d %%f %%d %%d %%d %%d\\n", summary.requests, summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(95), latency:percentile(99), bad))
end
"""
LEARNED_PER_SECOND = 1_000
ASKED_PER_SECOND = 500

ORDINARY = 'wrk.headers["Content-Encoding"] = "identity"'
"""The lane leaves a request with a content encoding, even with this one, which changes nothing, to the ordinary way."""

PACED = "delay = function() return math.random(5, 7) end"
"""Each connection pauses for so many milliseconds before a request. With `PACED_CONNECTIONS` that makes about 10,000 requests a second."""

CONNECTIONS, PACED_CONNECTIONS = 16, 64

TOML = """
[tasks.phishing]
kind = "binary"
[tasks.enriched]
kind = "binary"
[tasks.enriched.stored]
clicks = { default = 0 }
"""


def load(
    address: str, seconds: int, folder: Path, task: str = "phishing", lines: str = "", **more: str
) -> dict[str, float]:
    """Requests, how many a second, and milliseconds at three percentiles; `lines` are further lines of the script."""
    features, _ = next(iter(datasets.Phishing()))
    script = folder / "ask.lua"
    script.write_text(SCRIPT % (json.dumps({"features": features} | more), lines))
    connections = PACED_CONNECTIONS if lines == PACED else CONNECTIONS
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), f"{address}/v1/{task}/predict"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    asked, rate, p50, p95, p99, bad = re.search(r"@ (\d+) (\S+) (\d+) (\d+) (\d+) (\d+)", output).groups()
    if int(bad):
        raise RuntimeError(f"{bad} requests failed:\n{output}")
    figures = {"per_s": float(rate), "p50_ms": int(p50) / 1000, "p95_ms": int(p95) / 1000, "p99_ms": int(p99) / 1000}
    return {"asked": int(asked), **figures}


def load_at_rate(worker: harness.Worker, seconds: int) -> dict[str, float]:
    """The same figures of an open loop: latencies from the times at which the questions were due."""
    words = ("--rate", str(ASKED_PER_SECOND), "--seconds", str(seconds), "--json")
    done = worker.run("bench", "phishing", *words)
    if done.returncode:
        raise RuntimeError(f"requests failed:\n{done.stdout}{done.stderr}")
    figures = json.loads(done.stdout)["requests"]["question"]
    names = ("per_s", "p50_ms", "p95_ms", "p99_ms")
    return {"asked": figures["count"], **{name: figures[name] for name in names}}


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


@contextlib.contextmanager
def server(program: str) -> Iterator[str]:
    """Run a bare server, and yield its address."""
    port = harness.free_port()
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name(program)), str(port)])
    try:
        harness.wait_for(lambda: embedded.is_listening("127.0.0.1", port), 30, program)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def learning(broker: str, topic: str, worker: harness.Worker, seconds: int) -> Iterator[None]:
    """Have the worker learn rows all the time."""
    count = int((seconds + 2) * LEARNED_PER_SECOND)
    feeder = multiprocessing.get_context("spawn").Process(
        target=feed, args=(broker, topic, count, LEARNED_PER_SECOND), daemon=True
    )
    before = position(worker)
    feeder.start()
    harness.wait_for(lambda: position(worker) > before, 30, "learning")
    yield
    feeder.join()
    time.sleep(1)


def measure(broker: str, seconds: int, rounds: int, folder: Path) -> dict[str, dict[str, float]]:
    """Medians over the rounds, for the bare servers and for each thing that the worker does."""
    task = Task(name="phishing", kind="binary")
    harness.make_topics(broker, task)
    feed(broker, task.events, 1250, 100_000)
    worker = harness.Worker(folder / "w", broker, TOML).start()
    runs: list[dict[str, dict[str, float]]] = []
    with contextlib.ExitStack() as stack:
        stack.callback(worker.stop, "SIGKILL")
        bare = stack.enter_context(server("bare_server.py"))
        raw = stack.enter_context(server("raw_server.py")) if find_spec("httptools") else None
        worker.wait_ready()
        harness.wait_for(lambda: position(worker) >= 1250, 30, "all rows learned")
        assert worker.post("/v1/enriched/features/u1", {"clicks": 3}, method="PUT")[0] == 202
        harness.wait_for(lambda: worker.get("/v1/enriched/features/u1") is not None, 30, "the stored feature")
        logged = 0
        for _ in range(rounds):
            found = {"bare aiohttp": load(bare, seconds, folder)}
            if raw is not None:
                found["bare httptools"] = load(raw, seconds, folder)
            found["alone"] = load(worker.address, seconds, folder)
            found["at a rate"] = load_at_rate(worker, seconds)
            found["without the lane"] = load(worker.address, seconds, folder, lines=ORDINARY)
            for log in ("async", "durable"):
                found[f"log {log}"] = load(worker.address, seconds, folder, log=log)
                logged += found[f"log {log}"]["asked"] if log == "async" else 0
                harness.wait_for(lambda: has_logged(worker, logged), 120, "all questions logged")  # noqa: B023
                harness.wait_for(lambda: is_at_end(worker), 120, "all questions folded")
            found["enriched"] = load(worker.address, seconds, folder, "enriched", key="u1")
            for name, lines in (("learning", ""), ("paced, learning", PACED)):
                with learning(broker, task.events, worker, seconds):
                    before, started = position(worker), time.perf_counter()
                    figures = load(worker.address, seconds, folder, lines=lines)
                    learned = (position(worker) - before) / (time.perf_counter() - started)
                found[name] = figures | {"learned_per_s": learned}
            runs.append(found)
    for found in runs:
        for figures in found.values():
            figures["to_bare"] = figures["per_s"] / found["bare aiohttp"]["per_s"]
    return {
        name: {figure: statistics.median(run[name][figure] for run in runs) for figure in runs[0][name]}
        for name in runs[0]
    }


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, seconds=8, rounds=3)
    if shutil.which("wrk") is None:
        print("skipped: wrk is missing. Install it: apt-get install wrk.", file=sys.stderr)
        return
    with harness.running_broker() as broker, tempfile.TemporaryDirectory() as folder:
        found = measure(broker, options.seconds, options.rounds, Path(folder))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'':16} {'per_s':>8} {'to bare':>8} {'p50_ms':>8} {'p95_ms':>8} {'p99_ms':>8} {'learned':>8}")
    for name, figures in found.items():
        print(
            f"{name:16} {figures['per_s']:>8,.0f} {figures['to_bare']:>8.2f} "
            + " ".join(f"{figures[p]:>8.2f}" for p in ("p50_ms", "p95_ms", "p99_ms"))
            + (f" {figures['learned_per_s']:>8,.0f}" if "learned_per_s" in figures else "")
        )
    if "bare httptools" not in found:
        print("A bare protocol was not measured: pip install httptools.")


if __name__ == "__main__":
    main()
