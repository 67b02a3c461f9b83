"""What each reaction is worth: the accuracy in the 2,000 records after a drift.

    PYTHONHASHSEED=0 PYTHONPATH=. .venv/bin/python benchmarks/drift_recovery.py [--seeds 30] [--only SEA]

Five streams of River change abruptly after 10,000 records. Each reaction is set to `auto`, on ADWIN and `evidence`, and learns the same
records. Beside them: `frozen` learns nothing after the change, `adapt` learns on and does nothing else, `retrain every 2,000` begins a new
model every 2,000 records, trained on the last 2,000 of them, and `retrain` does so at an alarm, as if its job took no time. Printed is the
mean over the seeds, and the standard deviation between them.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec
from river.datasets import synth

from headrace.learning.drift import make_detector
from headrace.learning.fold.learner import Learner
from headrace.learning.models import build
from headrace.learning.records.message import Message
from headrace.learning.task import Guard, Task

CHANGE, AFTER = 10_000, 2_000
RETRAIN = 2_000
OFF = Guard(against=[], label_rate=False)


class Stream(NamedTuple):
    """A stream: how its two worlds are made, of a number and a seed, and the model that learns it."""

    make: Callable[[int, int], Any]
    model: str
    kind: Literal["binary", "multiclass"] = "binary"


STREAMS = {
    "SEA": Stream(lambda world, seed: synth.SEA((2, 3)[world], noise=0.1, seed=seed), "logistic"),
    "STAGGER": Stream(lambda world, seed: synth.STAGGER(world, seed=seed), "hoeffding_tree"),
    "Sine": Stream(lambda world, seed: synth.Sine(world, seed=seed), "hoeffding_tree"),
    "Agrawal": Stream(lambda world, seed: synth.Agrawal((0, 4)[world], seed=seed), "hoeffding_tree"),
    "LED": Stream(
        lambda world, seed: synth.LEDDrift(
            seed, noise_percentage=0.1, irrelevant_features=True, n_drift_features=5 * world
        ),
        "softmax",
        "multiclass",
    ),
}

DETECTORS: list[dict[str, Any]] = [{"use": "adwin"}, {"use": "evidence"}]

REACTIONS: dict[str, list[dict[str, Any]]] = {
    "adapt": [],
    "boost": [{"do": "boost", "mode": "auto"}],
    "calm": [{"do": "calm", "mode": "auto"}],
    "reset": [{"do": "reset", "mode": "auto"}],
    "background": [{"do": "background", "mode": "auto", "on": ["warning", "error"]}],
}
WAYS = ("frozen", "retrain every 2,000", "retrain", *REACTIONS)

Rows = list[tuple[dict[str, Any], Any]]


def rows_of(stream: Stream, seed: int) -> Rows:
    """The records of both worlds."""

    def rows() -> Iterator[tuple[dict[str, Any], Any]]:
        yield from islice(stream.make(0, seed * 100), CHANGE)
        yield from islice(stream.make(1, seed * 100 + 1), AFTER)

    label = bool if stream.kind == "binary" else int
    return [({f"x{name}": value for name, value in x.items()}, label(y)) for x, y in rows()]


def fold(task: Task, rows: Rows) -> float:
    """Fold the rows; return the accuracy after the change."""
    learner, right = Learner(task, 0), 0
    for at, (x, y) in enumerate(rows):
        if at >= CHANGE:
            answer = learner.champion.predict(x)
            right += answer is not None and answer.value == y
        for _ in learner.fold(Message(at, msgspec.json.encode({"features": x, "label": y}))):
            pass
    return right / AFTER


def learn_alone(stream: Stream, rows: Rows, way: str) -> float:
    """Learn without Headrace's fold: `frozen` stops at the change, the others begin anew at an alarm or every so many records."""
    model, right = build(stream.model, stream.kind), 0
    detectors = [make_detector(spec) for spec in DETECTORS]
    for at, (x, y) in enumerate(rows):
        is_right = model.predict_one(x) == y
        if at >= CHANGE:
            right += is_right
            if way == "frozen":
                continue
        changes = [detector.update(float(not is_right)) for detector in detectors] if way == "retrain" else ()
        is_alarm = any(change and not change.is_warning and change.after > change.before for change in changes)
        if is_alarm or (way.startswith("retrain every") and at and at % RETRAIN == 0):
            model = build(stream.model, stream.kind)
            for features, label in rows[max(at - RETRAIN, 0) : at]:
                model.learn_one(features, label)
        model.learn_one(x, y)
    return right / AFTER


def accuracy(name: str, way: str, rows: Rows) -> float:
    stream = STREAMS[name]
    if way not in REACTIONS:
        return learn_alone(stream, rows, way)
    detectors = DETECTORS if REACTIONS[way] else []
    return fold(
        Task(name="t", kind=stream.kind, model=stream.model, detectors=detectors, reactions=REACTIONS[way], guard=OFF),
        rows,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--only", choices=STREAMS, help="this stream alone")
    options = parser.parse_args()
    started = time.monotonic()
    print(f"| Stream, model | {' | '.join(WAYS)} |\n|{'---|' * (len(WAYS) + 1)}", flush=True)
    for name, stream in STREAMS.items():
        if options.only not in {None, name}:
            continue
        found: dict[str, list[float]] = {way: [] for way in WAYS}
        for seed in range(options.seeds):
            rows = rows_of(stream, seed)
            for way in WAYS:
                found[way].append(accuracy(name, way, rows))
        cells = [f"{statistics.mean(some):.3f} ± {statistics.pstdev(some):.3f}" for some in found.values()]
        print(f"| {name}, {stream.model} | {' | '.join(cells)} |", flush=True)
    print(f"\n{options.seeds} seeds, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
