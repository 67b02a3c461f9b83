"""How often an experiment promotes an arm that is no better, and how soon it finds one that is.

    PYTHONHASHSEED=0 PYTHONPATH=. .venv/bin/python benchmarks/experiments.py [--runs 10000] [--records 20000] [--budget 200000]

Two arms err at random; each label is one pair of losses. Every run looks at its verdict at each label, as the fold does. First A/A: both
err equally often, so every `b_better` is a false promotion, and their share must be at most `alpha`. Beside it a z-test of 5 % that is made
for one look at the end, and is looked at as often. Then A/B: arm b errs less. It prints the share of the runs that say so, and the labels
until then, median and the middle 80 %.

All runs are advanced side by side with NumPy, by the recursion of `headrace.learning.sequential.Difference`; the first ones are repeated
with that class itself, and must give the same verdicts.
"""

import argparse
import time

import numpy as np
from scipy import special, stats

from headrace.learning.sequential import Difference
from headrace.learning.sequential.difference import RANGE, TIGHTEST

ALPHA = 0.05
REPEATED = 3
"""Runs that are repeated with the class."""

ERROR = 0.1
"""How often arm a errs."""


class Runs:
    """Experiments side by side."""

    def __init__(self, runs: int):
        self.total, self.squares, self.count = np.zeros(runs), np.zeros(runs), 0
        self.moments = np.zeros(runs)
        surprise = np.log(1.0 / ALPHA)
        self.prior = max(TIGHTEST / (2.0 * surprise + np.log1p(2.0 * surprise)) / RANGE**2, 1.0)
        self.constant = self.prior * np.log(self.prior) - special.gammaln(self.prior)
        self.constant -= np.log(special.gammainc(self.prior, self.prior))

    def update(self, differences: np.ndarray) -> None:
        """Add a difference to each."""
        deviation = differences - self.total / self.count if self.count else differences
        self.squares += deviation * deviation
        self.total += differences
        self.moments += differences * differences
        self.count += 1

    def excludes(self, excess: np.ndarray) -> np.ndarray:
        """Whether the sum of each cannot be off its mean by so much."""
        shape = self.squares / RANGE**2 + self.prior
        at = shape + np.maximum(excess, 0.0) / RANGE
        log_power = shape * np.log(at) - at
        log_tail = log_power - special.gammaln(shape) - np.log(at - shape + 1.0)
        inside = -log_power - self.prior + special.gammaln(shape) + np.log1p(-np.exp(np.minimum(log_tail, -1e-12)))
        return (excess > 0) & (log_tail < 0) & (self.constant + inside >= np.log(2.0 / ALPHA))

    def verdicts(self, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which runs say that a is better, that b is, and that they are alike."""
        slack = margin * self.count
        a, b = self.excludes(-slack - self.total), self.excludes(self.total - slack)
        alike = self.excludes(slack - self.total) & self.excludes(slack + self.total)
        return a, ~a & b, ~a & ~b & alike

    def z(self) -> np.ndarray:
        """The statistic of a z-test of the mean."""
        mean = self.total / self.count
        deviation = np.sqrt(np.maximum(self.moments / self.count - mean * mean, 1e-12) / self.count)
        return mean / deviation


def run(runs: int, records: int, gain: float, margin: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Run experiments in which arm b errs less by `gain`; the labels until `b_better` (0: never), and whether a z-test ever said so."""
    dice = np.random.default_rng(seed)
    side = Runs(runs)
    ended, found, fooled = np.zeros(runs, bool), np.zeros(runs, int), np.zeros(runs, bool)
    kept = [Difference(ALPHA) for _ in range(min(REPEATED, runs))]
    said = ["continue"] * len(kept)
    for at in range(1, records + 1):
        differences = (dice.random(runs) < ERROR).astype(float) - (dice.random(runs) < ERROR - gain)
        side.update(differences)
        for number, one in enumerate(kept):
            one.update(float(differences[number]))
        a, b, alike = side.verdicts(margin)
        for number, one in enumerate(kept):
            if said[number] == "continue":
                said[number] = one.verdict(margin, 10**9)
        found[b & ~ended] = at
        ended |= a | b | alike
        if at >= 100:
            fooled |= side.z() > stats.norm.ppf(1 - ALPHA / 2)
        if gain and ended.all():
            break
    assert [one == "b_better" for one in said] == list(found[: len(kept)] > 0), "the class gives other verdicts"
    return found, fooled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--budget", type=int, default=200_000)
    options = parser.parse_args()
    started = time.monotonic()
    print(
        f"A/A, {options.runs:,} experiments of {options.records:,} labels, alpha {ALPHA}, each looked at after every label\n"
    )
    print("| Margin | False promotions, 95 % interval | By a z-test that is looked at as often |\n|---|---|---|")
    for margin in (0.0, 0.005):
        found, fooled = run(options.runs, options.records, 0.0, margin, seed=1)
        false = int((found > 0).sum())
        low, high = stats.binomtest(false, options.runs).proportion_ci(method="exact")
        print(f"| {margin} | {false:,}: {low:.4f} to {high:.4f} | {fooled.mean():.3f} |", flush=True)
        assert low <= ALPHA, "false promotions come more often than alpha says"
    runs = max(options.runs // 20, 10)
    print(f"\nA/B, {runs:,} experiments of up to {options.budget:,} labels, arm a errs in {ERROR:.0%}\n")
    print("| Arm b errs less by | Margin | Found | Labels until then, median (10 % to 90 %) |\n|---|---|---|---|")
    for gain in (0.005, 0.01, 0.02, 0.05):
        for margin in (0.0, 0.005):
            if margin >= gain:
                continue
            found, _ = run(runs, options.budget, gain, margin, seed=2)
            took = found[found > 0]
            spread = (
                "" if not took.size else "{1:,.0f} ({0:,.0f} to {2:,.0f})".format(*np.quantile(took, (0.1, 0.5, 0.9)))
            )
            print(f"| {gain:.1%} | {margin} | {(found > 0).mean():.1%} | {spread} |", flush=True)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
