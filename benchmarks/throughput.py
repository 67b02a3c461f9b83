"""Rows folded a second by one worker beside its broker, against a bare aiokafka and River loop in the same run.

    PYTHONPATH=tests .venv/bin/python benchmarks/throughput.py [--rows 200000] [--rounds 3] [--json]

The model is `logistic` with ADWIN; snapshots, validation and all metrics are on. The bare loop reads the same topic, decodes with
msgspec, predicts, updates ADWIN, learns, and writes a pickle of its model to a topic once a second. River alone does the same with
rows that are in memory. Each round measures all of them, one after the other; the medians are printed.
"""

import argparse
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
from river import datasets, drift, linear_model, optim, preprocessing

from learning.task import Task


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


async def _bare_loop(broker: str, topic: str, count: int) -> float:
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
                    learn(model, adwin, row["features"], row["label"])
                    folded += 1
            if time.perf_counter() - saved > 1:
                saved = time.perf_counter()
                await producer.send_and_wait(
                    f"{topic.removesuffix('.events')}.snapshots",
                    pickle.dumps((model, folded)),
                    key=b"model",
                    partition=0,
                )
        return count / (time.perf_counter() - started)


def bare_loop(broker: str, topic: str, count: int, answers) -> None:
    """Runs in a process of its own."""
    answers.put(asyncio.run(_bare_loop(broker, topic, count)))


def worker(broker: str, task: Task, count: int, folder: Path) -> float:
    """Rows a second of a worker, from the first update seen to the last."""
    started_worker = harness.Worker(folder, broker, f'[tasks.{task.name}]\nkind = "binary"\n').start()
    try:
        first = None
        while True:
            time.sleep(0.1)
            shards = (started_worker.get(f"/v1/{task.name}", timeout=10) or {}).get("shards")
            if not shards or "updates" not in shards[0]:
                continue
            now, updates = time.perf_counter(), shards[0]["updates"]
            if first is None and updates:
                first = now, updates
            if updates == count:
                return (count - first[1]) / (now - first[0]) if now > first[0] else float("nan")
    finally:
        started_worker.stop("SIGKILL")


def measure(broker: str, count: int, pack: int, rounds: int) -> dict[str, float]:
    """Medians over the rounds."""
    found: dict[str, list[float]] = {"worker": [], "bare_loop": []}
    rows = phishing(count)
    lines = [msgspec.json.encode(row) for row in rows]
    messages = [b"\n".join(lines[at : at + pack]) for at in range(0, count, pack)]
    context = multiprocessing.get_context("spawn")
    for number in range(rounds):
        task = Task(name=f"bench{pack}x{number}", kind="binary")
        harness.make_topics(broker, task)
        asyncio.run(harness.append(broker, task.events, ((0, message) for message in messages)))
        answers = context.Queue()
        process = context.Process(target=bare_loop, args=(broker, task.events, count, answers))
        process.start()
        found["bare_loop"].append(answers.get(timeout=300))
        process.join()
        with tempfile.TemporaryDirectory() as folder:
            found["worker"].append(worker(broker, task, count, Path(folder)))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    alone = statistics.median(river_alone(phishing(options.rows // 4)) for _ in range(options.rounds))
    with harness.running_broker() as broker:
        single = measure(broker, options.rows, 1, options.rounds)
        packed = measure(broker, options.rows, 50, options.rounds)
    figures = {
        "single_rows_per_s": round(single["worker"]),
        "single_to_bare_loop": round(single["worker"] / single["bare_loop"], 2),
        "single_to_river_alone": round(single["worker"] / alone, 2),
        "packed_rows_per_s": round(packed["worker"]),
        "packed_to_bare_loop": round(packed["worker"] / packed["bare_loop"], 2),
        "packed_to_river_alone": round(packed["worker"] / alone, 2),
        "bare_loop_single_rows_per_s": round(single["bare_loop"]),
        "bare_loop_packed_rows_per_s": round(packed["bare_loop"]),
        "river_alone_rows_per_s": round(alone),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:30} {value:>10,}")


if __name__ == "__main__":
    main()
