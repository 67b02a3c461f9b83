"""Kill, end and pause workers at random while they learn; every shard must equal the uninterrupted fold of its log.

    PYTHONPATH=tests .venv/bin/python tests/crash/chaos.py --rows 200000 --kills 30 --workers 3 --seed 7 [--static] [--model hoeffding_tree] [--wipe]

It starts a broker of its own unless one is named, stops by itself, and exits with status 0 only if all digests are equal.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import harness
from river.datasets import synth

from learning.task import Task

PAUSE_SECONDS = 15.0
"""How long SIGSTOP lasts: longer than the session timeout, so that the group goes on and the paused worker wakes believing that it
still owns its shards."""


SETTLED_SECONDS = 90.0


def rows(count: int, shards: int, seed: int):
    """Labelled samples for each shard in turn; every hundredth is hostile, so that quarantine is part of what must be equal."""
    stream = synth.SEA(seed=seed, noise=0.1).take(count)
    for number, (features, label) in enumerate(stream):
        if number % 100 == 99:
            yield number % shards, b'{"features": {"0": NaN}, "label": true}'
        else:
            named = {str(name): value for name, value in features.items()}
            yield number % shards, json.dumps({"id": str(number), "features": named, "label": bool(label)}).encode()


def feed(broker: str, topic: str, count: int, shards: int, seed: int, rate: float) -> None:
    """Append all rows; runs in a process of its own."""
    asyncio.run(harness.append(broker, topic, rows(count, shards, seed), rate))


def furthest(workers: list[harness.Worker], task: str) -> dict[int, tuple[int, str | None, int | None]]:
    """For each shard the furthest live state that any worker tells: position, digest, end."""
    found: dict[int, tuple[int, str | None, int | None]] = {}
    for worker in workers:
        for shard in (worker.get(f"/v1/{task}", timeout=5) or {"shards": []})["shards"]:
            if shard["state"] == "live" and shard["position"] >= found.get(shard["partition"], (0, None, None))[0]:
                found[shard["partition"]] = shard["position"], shard["digest"], shard["end"]
    return found


def run(options: argparse.Namespace, broker: str, folder: Path) -> bool:
    """One run; whether every shard came out equal."""
    task = Task(
        name=f"chaos{random.SystemRandom().randrange(10**6)}",
        kind="binary",
        model=options.model,
        partitions=options.shards,
    )
    harness.make_topics(broker, task)
    toml = f'[tasks.{task.name}]\nkind = "binary"\nmodel = "{options.model}"\npartitions = {options.shards}\n'
    paced = "snapshot_records = 300\nsnapshot_seconds = 0.5"
    workers = [
        harness.Worker(folder / f"w{number}", broker, toml, paced, f"w{number}" if options.static else None).start()
        for number in range(options.workers)
    ]
    dice = random.Random(options.seed)
    feeder = multiprocessing.get_context("spawn").Process(
        target=feed, args=(broker, task.events, options.rows, options.shards, options.seed, options.rate)
    )
    try:
        for worker in workers:
            worker.wait_ready()
        feeder.start()
        for kill in range(options.kills):
            # Without static membership a kill is missed only after the session timeout: wait now and then until the group is whole.
            time.sleep(dice.uniform(0.5, 5 if options.static else 12))
            worker, name = dice.choice(workers), dice.choice(options.signals.split(","))
            if name == "SIGSTOP":
                worker.signal(name)
                time.sleep(PAUSE_SECONDS)
                worker.signal("SIGCONT")
            else:
                worker.stop(name)
                wiped = options.wipe and kill % 3 == 2
                if wiped:
                    shutil.rmtree(worker.folder / "data", ignore_errors=True)
                time.sleep(dice.uniform(0, 1.5))
                worker.start()
                name += " and its data deleted" * wiped
            at = {shard: position for shard, (position, _, _) in sorted(furthest(workers, task.name).items())}
            print(f"{kill + 1}/{options.kills}: {name} to {worker.folder.name}; positions {at}", flush=True)
        feeder.join()
        started = time.monotonic()
        ends = {shard: len(range(shard, options.rows, options.shards)) for shard in range(options.shards)}

        def is_settled() -> bool:
            found = furthest(workers, task.name)
            return {shard: position for shard, (position, _, _) in found.items()} == ends

        try:
            harness.wait_for(is_settled, SETTLED_SECONDS, f"all of {ends} folded")
        except AssertionError:
            for worker in workers:
                print(
                    f"--- {worker.folder.name}: {worker.get('/readyz')} {worker.get(f'/v1/{task.name}')}\n{worker.log()[-4000:]}"
                )
            raise
        print(f"settled {time.monotonic() - started:.1f} s after the last record")
        found = furthest(workers, task.name)
        gaps = sum(worker.log().count("reading from the log") for worker in workers)
    finally:
        if feeder.is_alive():
            feeder.kill()
        for worker in workers:
            worker.stop("SIGKILL")
    equal = True
    for shard in range(options.shards):
        learner, effects = harness.fold(task, shard, asyncio.run(harness.read_all(broker, task.events, shard)))
        expected = harness.digest_of(learner)
        same = found[shard][1] == expected
        equal &= same
        print(
            f"shard {shard}: position {found[shard][0]}, {'EQUAL' if same else 'DIFFERENT'} {found[shard][1]} {expected}"
        )
        told = {
            dict(message.headers)["id"].decode()
            for message in asyncio.run(harness.read_all(broker, f"{task.name}.quarantine", shard))
        }
        wanted = {effect.id for effect in effects if type(effect).__name__ == "Quarantined"}
        if told != wanted:
            equal = False
            print(f"shard {shard}: quarantined are {len(told)}, not {len(wanted)}: {sorted(told ^ wanted)[:5]}")
    print(f"{options.kills} kills, {gaps} gaps read from the log: {'EQUAL' if equal else 'DIFFERENT'}", flush=True)
    return equal


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", help="host:port; left out, one is started")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--rate", type=float, default=2500.0, help="rows a second")
    parser.add_argument("--signals", default="SIGKILL,SIGTERM,SIGSTOP")
    parser.add_argument("--model", default="logistic")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--static", action="store_true", help="static membership")
    parser.add_argument("--wipe", action="store_true", help="delete a worker's data at every third kill")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        if options.broker:
            equal = run(options, options.broker, Path(folder))
        else:
            with harness.running_broker() as broker:
                equal = run(options, broker, Path(folder))
    sys.exit(not equal)


if __name__ == "__main__":
    main()
