"""What the default detectors and guards cost: rows folded a second with them, beside the same fold without.

    PYTHONPATH=benchmarks .venv/bin/python benchmarks/watching.py [--rows 40000] [--rounds 9]

The model is `logistic`, on a seeded stream of six features with a tenth of its labels flipped, 50 rows a message, in memory. Each round
measures all settings, one after the other; printed are the medians, and the median over the rounds of each as a share of `nothing`, in which
the baselines are scored too.
"""

import argparse
import random
import statistics
import time

import msgspec

from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.task import Guard, Task

ROWS_PER_MESSAGE = 50
OFF = Guard(against=[], label_rate=False)

NO_BASELINES = {"no_change": False, "majority": False}

SETTINGS = {
    "nothing": {"detectors": [], "reactions": [], "guard": OFF},
    "adwin": {"detectors": [{"use": "adwin"}], "reactions": [], "guard": OFF},
    "evidence": {"detectors": [{"use": "evidence"}], "reactions": [], "guard": OFF},
    "guards": {"detectors": [], "reactions": []},
    "all defaults": {},
    "nothing, without baselines": {
        "detectors": [],
        "reactions": [],
        "guard": OFF,
        "arms": NO_BASELINES,
        "experiments": [],
    },
}


def messages(count: int) -> list[Message]:
    """The stream, packed."""
    dice, lines = random.Random(1), []
    for _ in range(count):
        features = {name: dice.gauss(0, 1) for name in "abcdef"}
        label = (features["a"] + features["b"] > 0) != (dice.random() < 0.1)
        lines.append(msgspec.json.encode({"features": features, "label": label}))
    packed = (lines[at : at + ROWS_PER_MESSAGE] for at in range(0, count, ROWS_PER_MESSAGE))
    return [Message(offset, b"\n".join(rows)) for offset, rows in enumerate(packed)]


def fold(task: Task, stream: list[Message]) -> float:
    """CPU seconds of one fold."""
    learner, started = Learner(task, 0), time.process_time()
    for message in stream:
        for _ in learner.fold(message):
            pass
    return time.process_time() - started


def main() -> None:
    """Parse the options, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    stream, seconds = messages(options.rows), {name: list[float]() for name in SETTINGS}
    for _ in range(options.rounds):
        for name, settings in SETTINGS.items():
            seconds[name].append(fold(Task(name="t", kind="binary", model="logistic", **settings), stream))
    print("| Watched by | rows/s | us a row | more time than `nothing` |\n|---|---|---|---|")
    for name, taken in seconds.items():
        more = statistics.median(one / base - 1 for one, base in zip(taken, seconds["nothing"], strict=True))
        median = statistics.median(taken) / options.rows
        print(f"| {name} | {1 / median:,.0f} | {median * 1e6:.1f} | {more:+.1%} |")


if __name__ == "__main__":
    main()
