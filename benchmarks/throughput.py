"""Rows folded a second by one worker beside its broker, against a bare aiokafka and River loop in the same run.

    PYTHONPATH=tests .venv/bin/python benchmarks/throughput.py [--rows 150000] [--rounds 3] [--json]

The model is `logistic`; the default detectors and guards, snapshots, validation and all metrics are on. `unwatched` is the same worker
without detectors and guards. The bare loop reads the same topic, decodes with
msgspec, predicts, updates ADWIN, learns, and sends a pickle of its model to a compacted topic as often as the worker saved in the
same round. River alone does the same with rows that are in memory. Each round measures all of them, one after the other; the medians
are printed.
"""

import asyncio
import json
import multiprocessing
import pickle
import statistics
import tempfile
import time
from pathlib import Path

import harness
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from options import read_options
from river import datasets, drift, linear_model, optim, preprocessing

from headrace.learning.task import Task
from headrace.tables.kafka.topics import Topic, prepare

UNWATCHED = "detectors = []\nreactions = []\nguard = { against = [], label_rate = false }\n"
"""The settings of a task without detectors and guards."""

SECONDS_MAX = 300
"""How long one measurement may take before the run is given up."""


def phishing(count: int) -> list[dict]:
    """Phishing's rows, over and over, as records."""
    rows = [{"features": features, "label": label} for features, label in datasets.Phishing()]
    return [rows[number % len(rows)] | {"id": str(number)} for number in range(count)]


def bare_model():
    """What the bare loops learn with."""
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005)), drift.ADWIN()


def learn(model, adwin, features: dict, label: bool) -> None:
    """Predict, watch the error, learn."""
    probabilities = model.predict_proba_one(features)
    adwin.update(max(probabilities, key=probabilities.get) != label)
    model.learn_one(features, label)


def river_alone(rows: list[dict]) -> float:
    """Rows a second from memory."""
    model, adwin = bare_model()
    started = time.perf_counter()
    for row in rows:
        learn(model, adwin, row["features"], row["label"])
    return len(rows) / (time.perf_counter() - started)


async def _bare_loop(broker: str, topic: str, saves: str, count: int, seconds: float) -> float:
    model, adwin = bare_model()
    decode = msgspec.json.Decoder().decode
    shard, folded, saved = TopicPartition(topic, 0), 0, time.perf_counter()
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, max_poll_records=1000)
    async with consumer, AIOKafkaProducer(bootstrap_servers=broker, acks="all") as producer:
        consumer.assign([shard])
        consumer.seek(shard, 0)
        started = None
        while folded < count:
            batch = (await consumer.getmany(shard, timeout_ms=1000)).get(shard, [])
            started = started or time.perf_counter()
            for message in batch:
                for line in message.value.split(b"\n"):
                    row = decode(line)
                    if "features" not in row:  # the definition of the log
                        continue
                    learn(model, adwin, row["features"], row["label"])
                    folded += 1
                if time.perf_counter() - saved > seconds:
                    saved = time.perf_counter()
                    await producer.send(saves, pickle.dumps((model, adwin, folded)), key=b"model", partition=0)
        return count / (time.perf_counter() - started)


def bare_loop(answers, *arguments) -> None:
    """Runs in a process of its own."""
    answers.send(asyncio.run(_bare_loop(*arguments)))


def run_bare_loop(broker: str, topic: str, count: int, seconds: float) -> float:
    """Rows a second of the bare loop, which saves every so many seconds."""
    saves = f"{topic}.bare"
    asyncio.run(prepare(broker, [Topic(saves, 1, {"cleanup.policy": "compact"})]))
    context = multiprocessing.get_context("spawn")
    answers, sent = context.Pipe(duplex=False)
    process = context.Process(target=bare_loop, args=(sent, broker, topic, saves, count, seconds), daemon=True)
    process.start()
    sent.close()  # a process that dies is then seen at once, as EOFError
    if not answers.poll(SECONDS_MAX):
        raise TimeoutError(f"the bare loop took more than {SECONDS_MAX} s")
    rate = answers.recv()
    process.join()
    return rate


def count_saves(broker: str, task: Task) -> int:
    """Snapshots that a worker has written: each ends with a manifest."""
    written = asyncio.run(harness.read_all(broker, f"{task.name}.snapshots"))
    return sum(message.key.startswith(b"manifest/") and message.value is not None for message in written)


def worker(broker: str, task: Task, count: int, folder: Path, settings: str = "") -> tuple[float, float]:
    """Rows a second of a worker, from the first update seen to the last, and the seconds between its snapshots."""
    started_worker = harness.Worker(folder, broker, f'[tasks.{task.name}]\nkind = "binary"\n{settings}').start()
    try:
        first, pause, deadline = None, 0.25, time.perf_counter() + SECONDS_MAX
        while time.perf_counter() < deadline:
            time.sleep(pause)
            shards = (started_worker.get(f"/v1/{task.name}", timeout=10) or {}).get("shards")
            if not shards or "updates" not in shards[0]:
                continue
            now, updates = time.perf_counter(), shards[0]["updates"]
            if first is None and updates:
                first = now, updates
            if first is None or now == first[0]:
                continue
            rate = (updates - first[1]) / (now - first[0])
            if updates == count:
                if rate == 0:
                    raise ValueError(f"{count} rows are too few to measure a worker with")
                return rate, count / rate / max(1, count_saves(broker, task))
            # Asking costs the worker a digest, so it is asked seldom, but not long after the end.
            pause = min(0.25, max(0.02, (count - updates) / rate)) if rate else 0.25
        raise TimeoutError(f"the worker took more than {SECONDS_MAX} s; its log:\n{started_worker.log()[-2000:]}")
    finally:
        started_worker.stop("SIGKILL")


def measure(broker: str, count: int, pack: int, rounds: int) -> dict[str, float]:
    """Medians over the rounds."""
    names = "worker", "unwatched", "bare_loop", "river_alone", "saved_every_s"
    found: dict[str, list[float]] = {name: [] for name in names}
    rows = phishing(count)
    lines = [msgspec.json.encode(row) for row in rows]
    messages = [b"\n".join(lines[at : at + pack]) for at in range(0, count, pack)]
    for number in range(rounds):
        for name, settings in (("unwatched", UNWATCHED), ("worker", "")):
            task = Task(name=f"{name}{pack}x{number}", kind="binary")
            harness.make_topics(broker, task)
            asyncio.run(harness.append(broker, task.events, ((0, message) for message in messages)))
            with tempfile.TemporaryDirectory() as folder:
                rate, seconds = worker(broker, task, count, Path(folder), settings)
            found[name].append(rate)
        found["saved_every_s"].append(seconds)
        found["bare_loop"].append(run_bare_loop(broker, task.events, count, seconds))
        found["river_alone"].append(river_alone(rows[: count // 4]))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    options = read_options(__doc__, rows=150_000, rounds=3)
    with harness.running_broker() as broker:
        single = measure(broker, options.rows, 1, options.rounds)
        packed = measure(broker, options.rows, 50, options.rounds)
    figures = {
        "single_rows_per_s": round(single["worker"]),
        "single_to_bare_loop": round(single["worker"] / single["bare_loop"], 2),
        "single_to_river_alone": round(single["worker"] / single["river_alone"], 2),
        "single_to_unwatched": round(single["worker"] / single["unwatched"], 2),
        "packed_rows_per_s": round(packed["worker"]),
        "packed_to_bare_loop": round(packed["worker"] / packed["bare_loop"], 2),
        "packed_to_river_alone": round(packed["worker"] / packed["river_alone"], 2),
        "packed_to_unwatched": round(packed["worker"] / packed["unwatched"], 2),
        "bare_loop_single_rows_per_s": round(single["bare_loop"]),
        "bare_loop_packed_rows_per_s": round(packed["bare_loop"]),
        "river_alone_rows_per_s": round(statistics.mean((single["river_alone"], packed["river_alone"]))),
        "single_saved_every_s": round(single["saved_every_s"], 3),
        "packed_saved_every_s": round(packed["saved_every_s"], 3),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:30} {value:>10,}")


if __name__ == "__main__":
    main()
