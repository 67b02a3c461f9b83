"""How often a guard is wrong, and how soon it is right.

    PYTHONHASHSEED=0 PYTHONPATH=. .venv/bin/python benchmarks/false_rollbacks.py [--runs 10000] [--records 20000] [--seeds 10]

First A/A: two arms with the same mean error are compared label by label, and the alarm is looked at after each. The share of the runs
with an alarm must be at most `alpha`; its interval is Clopper and Pearson's of 95 %. All runs are advanced side by side with NumPy, by the
recursion of `headrace.learning.sequential.EDetector`; the first ones are repeated with that class itself, and must end equal.

Then degradations are planted into a stream that a task with its guard in mode `auto` learns: for 1,000 records labels are flipped, a feature
is a thousand times too large, or two features are exchanged; then all is well again. It prints the labels from the first bad record until
the rollback, and the accuracy of the next 5,000 records after the bad ones, with the guard and without it.
"""

import argparse
import random
import statistics
import time

import msgspec
import numpy as np
from scipy import stats

from headrace.learning.effects import Reacted
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.sequential import EDetector
from headrace.learning.task import Guard, Task, Versions

ALPHA = 0.05
WITHIN = 20_000
REPEATED = 3
"""Runs that are repeated with the class."""

BAD, AFTER = 1_000, 5_000


def compare_equals(runs: int, records: int, error: float, margin: float) -> int:
    """Count the runs with an alarm among so many comparisons of two arms with the same error."""
    dice = np.random.default_rng(1)
    between = WITHIN / ALPHA
    bet = 0.5 / (margin + 1.0) * 4.0 ** -np.arange(4)[:, None]
    evidence, alarmed = np.zeros((4, runs)), np.zeros(runs, bool)
    kept = [EDetector(mean=margin, between=between, low=-1.0) for _ in range(min(REPEATED, runs))]
    alarms = [False] * len(kept)
    for _ in range(records):
        values = (dice.random(runs) < error).astype(float) - (dice.random(runs) < error)
        evidence = (evidence + 1.0) * (1.0 + bet * (values - margin))
        alarmed |= evidence.mean(axis=0) >= between
        for number, detector in enumerate(kept):
            alarms[number] |= detector.update(values[number])
    assert alarms == list(alarmed[: len(kept)])
    return int(alarmed.sum())


def sample(dice: random.Random) -> tuple[dict[str, float], bool]:
    """A record of a world in which a model of two features errs in a tenth of the records."""
    x = {name: dice.gauss(0, 1) for name in "abcd"}
    return x, (x["a"] + 2 * x["b"] > 0) != (dice.random() < 0.1)


def flip(share: float):
    def damage(x: dict[str, float], y: bool, dice: random.Random) -> tuple[dict[str, float], bool]:
        return x, y != (dice.random() < share)

    return damage


def enlarge(x: dict[str, float], y: bool, dice: random.Random) -> tuple[dict[str, float], bool]:  # noqa: ARG001
    return x | {"b": x["b"] * 1_000}, y


def exchange(x: dict[str, float], y: bool, dice: random.Random) -> tuple[dict[str, float], bool]:  # noqa: ARG001
    return x | {"b": x["c"], "c": x["b"]}, y


PLANTED = {
    "labels flipped, 10 %": (flip(0.1), 10_000),
    "labels flipped, 20 %": (flip(0.2), 10_000),
    "labels flipped, 40 %": (flip(0.4), 10_000),
    "labels flipped, 100 %": (flip(1.0), 10_000),
    "a feature times 1,000": (enlarge, 10_000),
    "two features exchanged": (exchange, 10_000),
    "labels flipped, 100 %, after 100,000 good records": (flip(1.0), 100_000),
}
"""Each degradation, and the record with which it begins."""


def learn(guard: Guard, seed: int, damage, begin: int) -> tuple[int | None, float]:
    """Learn a stream with a degradation; return the labels until the rollback, and the accuracy after the bad records."""
    dice, right, rolled = random.Random(seed), 0, None
    model = {"use": "logistic", "learning_rate": 0.05}
    learner = Learner(
        Task(name="t", kind="binary", model=model, versions=Versions(every=2_000), guard=guard, detectors=[]), 0
    )
    for at in range(begin + BAD + AFTER):
        x, y = sample(dice)
        if begin <= at < begin + BAD:
            x, y = damage(x, y, dice)
        if at >= begin + BAD:
            answer = learner.champion.predict(x)
            right += answer is not None and answer.value == y
        for effects in learner.fold(Message(at, msgspec.json.encode({"features": x, "label": y}))):
            if at >= begin and rolled is None and any(type(one) is Reacted and one.acted for one in effects):
                rolled = at - begin
    return rolled, right / AFTER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=WITHIN)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    started = time.monotonic()
    print(f"A/A, {options.runs:,} runs of {options.records:,} records, alpha {ALPHA}\n")
    print("| Mean error | Margin | Runs with a false rollback | Share, 95 % interval |\n|---|---|---|---|")
    for error in (0.05, 0.1, 0.3):
        for margin in (0.0, 0.02):
            false = compare_equals(options.runs, options.records, error, margin)
            low, high = stats.binomtest(false, options.runs).proportion_ci(method="exact")
            print(
                f"| {error} | {margin} | {false:,} | {false / options.runs:.4f}, {low:.4f} to {high:.4f} |", flush=True
            )
            assert low <= ALPHA, "false rollbacks come more often than alpha says"
    print(f"\nPlanted for {BAD:,} records; medians of {options.seeds} seeds\n")
    print(
        "| Planted | Every | Rolled back | Labels until then | Accuracy after, with | without |\n|---|---|---|---|---|---|"
    )
    for name, (damage, begin) in PLANTED.items():
        seeds = range(options.seeds if begin < WITHIN else min(options.seeds, 3))
        off = [learn(Guard(against=[], label_rate=False), seed, damage, begin)[1] for seed in seeds]
        for every in (1, 8):
            guard = Guard(against=["last_good"], label_rate=False, mode="auto", every=every)
            found = [learn(guard, seed, damage, begin) for seed in seeds]
            late = [labels for labels, _ in found if labels is not None]
            until = f"{statistics.median(late):,.0f}" if late else "-"
            with_it, without = statistics.mean(one for _, one in found), statistics.mean(off)
            print(
                f"| {name} | {every} | {len(late)} of {len(found)} | {until} | {with_it:.3f} | {without:.3f} |",
                flush=True,
            )
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
