"""Kill, end and pause workers at random while they learn; every shard must equal the uninterrupted fold of its log.

    PYTHONPATH=tests .venv/bin/python tests/crash/chaos.py --rows 200000 --kills 30 --workers 3 --seed 7 [--static] [--model hoeffding_tree] [--wipe]
        [--event-time] [--controls] [--drifts] [--arms] [--anomalies]

The log has samples, questions with labels that come late, early, twice or never, and hostile records. With --event-time records come out
of order and labels are learned in batches. With --controls everything that an operator may do is done meanwhile. With --drifts the world
changes, labels are poisoned, and detectors, reactions, guards and the breaker act by themselves. With --anomalies the task is one of
anomalies: labels are optional, and a share of the records is flagged.

It starts a broker of its own unless one is named, stops by itself, and exits with status 0 only if all digests are equal.

    PYTHONPATH=tests .venv/bin/python tests/crash/chaos.py --faults 20 --seeds 10 --seed 1 [--only tail-events,kill] [--list]

With --faults so many other faults are done to it, seed by seed: to the broker, topics, databases, disk, clocks and network. Each is judged
on its own: every shard must be equal to the fold of the log that is there, or stopped by an error that names the cause. Status 0
only if none was silent.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path

import fault_run
import harness
from controls import Controls
from drifting_logs import happened
from rows import packed, rows, timed

from headrace.agents.ticker import TICK
from headrace.app.settings import parse
from headrace.learning.effects import Predicted, Quarantined, Reacted, Resolved
from headrace.learning.task import Task

PAUSE_SECONDS = 15.0
"""How long SIGSTOP lasts: longer than the session timeout, so that the group goes on and the paused worker wakes believing that it
still owns its shards."""


SETTLED_SECONDS = 90.0
"""How long nothing may move before all is folded and every job is done."""

FAULT_SHARDS, FAULT_RATE = 2, 200.0
"""What --faults runs with: every fault is judged by a fold of the whole log, and the machine has other things to do."""


MODELS = ("logistic", "pa", "alma")
"""What --controls changes the model to."""

DRIFTS = """
versions = { every = 300 }
detectors = [
    { use = "adwin", delta = 0.05 },
    { use = "evidence", between = 10000 },
    { use = "adwin", delta = 0.05, watch = ["score", "label_rate", "features"] },
]
reactions = [
    { do = "alert", on = ["error", "score", "label_rate", "features"] },
    { do = "boost", on = "error", mode = "auto", budget = 50, cooldown = 200 },
    { do = "background", on = ["warning", "error"], mode = "auto", budget = 50, cooldown = 200, give_up = 500 },
    { do = "reset", on = "score", mode = "auto", budget = 50, cooldown = 500 },
    { do = "retrain", on = "label_rate", mode = "auto", budget = 1, messages = 1000 },
]
guard = { alpha = 0.9, margin = 0.0, every = 1, mode = "auto", label_rate = { short = 50, bound = 0.3, wait = "3s" } }
"""
"""What --drifts adds to the task: reactions, guards and a breaker that act by themselves, and often."""

ARMS = """
arms = { bayes = { model = "naive_bayes" } }
experiments = [{ b = "bayes", alpha = 0.9, margin = 0.0, promote = "auto" }, { a = "no_change", b = "majority" }]
threshold = { false_positive = 1, false_negative = 3 }
segments = ["2"]
"""
"""What --arms adds to the task: a challenger that is promoted by itself, and often."""

ANOMALIES = """
versions = { every = 300 }
model = { use = "half_space_trees", window_size = 100 }
threshold = { quantile = 0.95 }
arms = { spread = { model = { use = "quantile", after = 50 } } }
reactions = [
    { do = "alert", on = ["score", "features"] },
    { do = "reset", on = "score", mode = "auto", budget = 50, cooldown = 500 },
]
detectors = [{ use = "adwin", delta = 0.05, watch = ["score", "features"] }]
"""
"""The task of --anomalies: two arms whose thresholds follow their scores, and a model that begins anew when these change."""

UNLABELLED = ("half_space_trees", "quantile", "one_class_svm")
"""What --controls changes the model of --anomalies to."""

WAIT_SECONDS = 20.0
"""How long a question waits for its label: short enough that many expire while workers are killed."""


def feed(broker: str, topic: str, options: argparse.Namespace) -> None:
    """Append all messages; runs in a process of its own."""
    asyncio.run(harness.append(broker, topic, messages_of(options), options.rate))


def messages_of(options: argparse.Namespace):
    """The messages that a run appends. With --packed they are fewer than rows, nearly all of which are samples."""
    samples = 0.97 if options.packed else 0.5
    found = rows(
        options.rows, options.shards, options.seed, drifts=options.drifts, optional=options.anomalies, samples=samples
    )
    found = timed(found, options.seed)
    return packed(found, options.seed) if options.packed else found


def declare(name: str, options: argparse.Namespace) -> str:
    """Write the task of a run."""
    ordered = 'order = "event_time"\nlateness = "3s"\nlate = "quarantine"\n' if options.event_time else ""
    head = f'[tasks.{name}]\npartitions = {options.shards}\npredictions = {str(not options.packed).lower()}\nwait = "{WAIT_SECONDS}s"\n{ordered}'
    if options.anomalies:
        return f'{head}kind = "anomaly"\n{ANOMALIES}'
    batches = 'update = { batch = 16, every = "1s" }\n' if options.event_time else ""
    more = f"{batches}{DRIFTS if options.drifts else ''}{ARMS if options.arms else ''}"
    return f'{head}kind = "binary"\nmodel = "{options.model}"\nunanswered = {{ assume = false }}\n{more}'


def furthest(workers: list[harness.Worker], task: str) -> dict[int, dict]:
    """For each shard the furthest live state that any worker tells."""
    found: dict[int, dict] = {}
    for worker in workers:
        for shard in (worker.get(f"/v1/{task}", timeout=5) or {"shards": []})["shards"]:
            known = found.get(shard["partition"])
            if shard["state"] == "live" and (known is None or shard["position"] >= known["position"]):
                found[shard["partition"]] = shard
    return found


def what_is_left(shard: dict, least: int) -> dict:
    """What a shard still has to do; `unfolded` counts the rows of the feeder alone, since ticks go on as long as something waits."""
    held, collected = shard.get("order", {"held": 0})["held"], shard.get("batch", {"collected": 0})["collected"]
    return {
        "unfolded": max(0, least - shard["position"]),
        "waiting": shard["questions"]["waiting"] + shard["questions"]["early"] + held + collected,
        "jobs": shard.get("jobs") or [],
    }


def is_at_rest(shard: dict, least: int) -> bool:
    """Whether a shard has folded all there is, and nothing waits in it any more."""
    return shard["position"] == shard["end"] and not any(what_is_left(shard, least).values())


def run(options: argparse.Namespace, broker: str, folder: Path) -> bool:
    """One run; whether every shard came out equal."""
    name = f"chaos{random.SystemRandom().randrange(10**6)}"
    toml = declare(name, options)
    task = parse(tomllib.loads(toml), Path("headrace.toml")).tasks[name]
    harness.make_topics(broker, task)
    paced = "snapshot_records = 300\nsnapshot_seconds = 0.5"
    workers = [
        harness.Worker(folder / f"w{number}", broker, toml, paced, f"w{number}" if options.static else None).start()
        for number in range(options.workers)
    ]
    dice = random.Random(options.seed)
    models = UNLABELLED if options.anomalies else MODELS
    controls = Controls(workers, task, models, options.seed) if options.controls else None
    feeder = multiprocessing.get_context("spawn").Process(
        target=feed,
        args=(broker, task.events, options),
    )
    try:
        for worker in workers:
            worker.wait_ready()
        feeder.start()
        if controls is not None:
            controls.start()
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
                worker.uses_kernel = not worker.uses_kernel
                worker.start()
                name += " and its data deleted" * wiped
            at = {shard: told["position"] for shard, told in sorted(furthest(workers, task.name).items())}
            print(f"{kill + 1}/{options.kills}: {name} to {worker.folder.name}; positions {at}", flush=True)
        feeder.join()
        if controls is not None:
            controls.stop()
            print(f"controlled: {dict(Counter(controls.sent))}")
        started = time.monotonic()
        counts = Counter(shard for shard, _ in messages_of(options))

        found: dict[int, dict] = {}

        def tell() -> dict[int, dict]:
            nonlocal found
            found = furthest(workers, task.name)
            return {shard: what_is_left(told, counts[shard]) for shard, told in sorted(found.items())}

        def is_settled() -> bool:
            return len(found) == options.shards and all(
                is_at_rest(told, counts[shard]) for shard, told in found.items()
            )

        try:
            harness.wait_while_moving(is_settled, SETTLED_SECONDS, tell)
        except AssertionError:
            for worker in workers:
                print(
                    f"--- {worker.folder.name}: {worker.get('/readyz')} {worker.get(f'/v1/{task.name}')}\n{worker.log()[-4000:]}"
                )
            raise
        print(f"settled {time.monotonic() - started:.1f} s after the last record")
        gaps = sum(worker.log().count("reading from the log") for worker in workers)
    finally:
        if feeder.is_alive():
            feeder.kill()
        for worker in workers:
            worker.stop("SIGKILL")
    equal, acts = True, Counter()
    for shard in range(options.shards):
        # Entries that are met expire without a trace, so a tick may have come after the shard had told its position and its digest.
        messages, position = asyncio.run(harness.read_all(broker, task.events, shard)), found[shard]["position"]
        later = [message for message in messages if message.offset >= position]
        assert all(message.value == TICK for message in later), later
        learner, effects = harness.fold(task, shard, [message for message in messages if message.offset < position])
        learner.pass_over(position)
        expected = harness.digest_of(learner)
        same = found[shard]["digest"] == expected
        equal &= same
        print(
            f"shard {shard}: position {found[shard]['position']}, {'EQUAL' if same else 'DIFFERENT'} {found[shard]['digest']} {expected}"
            f"{f', {len(later)} ticks later' if later else ''}"
        )
        order = learner.state.order
        print(f"  {learner.join.describe()}, late {order.late}, ahead {order.ahead}, updates {learner.state.updates}")
        told = {
            dict(message.headers)["id"].decode()
            for message in asyncio.run(harness.read_all(broker, f"{task.name}.quarantine", shard))
        }
        equal &= are_same(
            shard, "quarantined", told, {effect.id for effect in effects if isinstance(effect, Quarantined)}
        )
        wanted = {(effect.id, effect.record, effect.how) for effect in effects if isinstance(effect, Resolved)}
        equal &= are_same(shard, "resolved", resolved(broker, task, shard), wanted)
        reacted = {(effect.id, effect.did) for effect in effects if isinstance(effect, Reacted)}
        equal &= are_same(shard, "reactions", reactions(broker, task, shard), reacted)
        acts += happened(effects)
        acts["flagged"] += sum(
            one.prediction is not None and one.prediction.value is True for one in effects if isinstance(one, Predicted)
        )
    if options.drifts:
        print(f"reacted: {dict(acts)}")
        equal &= all(acts[name] for name in ("boost", "rollback", "pause"))
    if options.arms:
        print(f"promoted or compared: {dict(acts)}")
        equal &= acts["promote"] > 0
    if options.anomalies:
        print(f"flagged or noticed: {dict(acts)}")
        equal &= acts["flagged"] > 0
    print(f"{options.kills} kills, {gaps} gaps read from the log: {'EQUAL' if equal else 'DIFFERENT'}", flush=True)
    return equal


def resolved(broker: str, task: Task, shard: int) -> set[tuple[str, str, str]]:
    """What was told of questions: effect id, the question's id, how it came to a label."""
    found = set()
    for message in asyncio.run(harness.read_all(broker, f"{task.name}.predictions", shard)):
        effects = map(json.loads, message.value.split(b"\n"))
        found |= {
            (effect["id"], effect["record"], effect["how"]) for effect in effects if effect["effect"] == "resolved"
        }
    return found


def reactions(broker: str, task: Task, shard: int) -> set[tuple[str, str]]:
    """What was told of reactions: effect id, and what was done."""
    found = set()
    for message in asyncio.run(harness.read_all(broker, f"{task.name}.signals", shard)):
        effects = map(json.loads, message.value.split(b"\n"))
        found |= {(effect["id"], effect["did"]) for effect in effects if effect["effect"] == "reacted"}
    return found


def are_same(shard: int, what: str, told: set, wanted: set) -> bool:
    """Whether two sets are equal; prints the difference."""
    if told != wanted:
        print(f"shard {shard}: {what} are {len(told)}, not {len(wanted)}: {sorted(told ^ wanted)[:5]}")
    return told == wanted


def main() -> None:
    """Parse the options and run."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that broker and workers go too
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
    parser.add_argument("--event-time", action="store_true", help="fold in event-time order, learn in batches")
    parser.add_argument(
        "--packed",
        action="store_true",
        help="several rows a message, nearly all of them samples, for the kernel to fold at once",
    )
    parser.add_argument(
        "--controls", action="store_true", help="roll back, retrain, unlearn, pause and so on, all the while"
    )
    parser.add_argument(
        "--arms", action="store_true", help="a challenger that is promoted by itself, a threshold and segments"
    )
    parser.add_argument(
        "--drifts", action="store_true", help="a world that changes; reactions and guards act by themselves"
    )
    parser.add_argument(
        "--anomalies", action="store_true", help="a task of anomalies: labels are optional, a share is flagged"
    )
    parser.add_argument("--faults", type=int, default=0, help="faults a seed, other than kills alone")
    parser.add_argument("--seeds", type=int, default=1, help="so many seeds from --seed on, for --faults")
    parser.add_argument("--only", type=lambda names: names.split(","), default=[], help="these kinds of faults")
    parser.add_argument("--list", action="store_true", help="list the kinds of faults")
    parser.add_argument("--folder", help="for what --faults leaves; otherwise a new one")
    options = parser.parse_args()
    if options.list:
        fault_run.list_faults()
        return
    if options.faults:
        options.shards, options.rate = FAULT_SHARDS, FAULT_RATE
        sys.exit(not fault_run.main(options))
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        if options.broker:
            equal = run(options, options.broker, Path(folder))
        else:
            with harness.running_broker() as broker:
                equal = run(options, broker, Path(folder))
    sys.exit(not equal)


if __name__ == "__main__":
    main()
