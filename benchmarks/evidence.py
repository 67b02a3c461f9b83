"""How far apart the false alarms of the detector `evidence` are, and how soon it finds a rise, beside River's detectors.

    .venv/bin/python benchmarks/evidence.py [--records 10000000] [--changes 40] [--steady 20000]

Errors are 0 or 1. For each mean error and each knob `between` the first table has the records between two false alarms over so many steady
records, and the status is 1 if a number is below the knob. The second has the median delay, in records, of so many changes, each
after so many steady records at a mean error of 0.1. A change that is not found within 20,000 records counts as 20,000, and one with an
alarm before it is left out.
"""

import argparse
import random
import statistics
import sys
import time

from river import drift

from headrace.learning.drift import Adwin, Evidence

RATES = 0.05, 0.1, 0.2
KNOBS = 1_000, 10_000, 100_000
RISES = 1.25, 1.5, 2.0, 3.0
RATE = 0.1
LATEST = 20_000


class OfRiver:
    """A detector of River with our interface; it signals rises alone, as these detectors do."""

    def __init__(self, detector):
        self.detector = detector

    def update(self, error):  # noqa: D102
        self.detector.update(error)
        return self.detector.drift_detected


class RiseByAdwin(Adwin):
    """ADWIN without its signals of improvement."""

    def update(self, error):  # noqa: D102
        change = super().update(error)
        return change if change and change.after > change.before else None


class Alarms(Evidence):
    """Evidence without its warnings."""

    def update(self, error):  # noqa: D102
        change = super().update(error)
        return change if change and not change.is_warning else None


DETECTORS = {f"evidence, {between:,}": lambda between=between: Alarms(between) for between in KNOBS} | {
    "ADWIN, delta 0.002": RiseByAdwin,
    "Page-Hinkley": lambda: OfRiver(drift.PageHinkley(mode="up")),
    "DDM": lambda: OfRiver(drift.binary.DDM()),
}


def false_alarms(make, rate: float, records: int) -> int:
    detector, dice = make(), random.Random(1)
    update, draw = detector.update, dice.random
    return sum(1 for _ in range(records) if update(1.0 if draw() < rate else 0.0))


def delay(make, rise: float, steady: int, seed: int) -> int | None:
    """Records until a change is found; None if there is an alarm before it."""
    detector, dice = make(), random.Random(seed)
    if any(detector.update(float(dice.random() < RATE)) for _ in range(steady)):
        return None
    return next((at for at in range(1, LATEST) if detector.update(float(dice.random() < RATE * rise))), LATEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--steady", type=int, default=20_000)
    options = parser.parse_args()
    is_kept = True
    print(f"{'detector':<24}{'mean error':>12}{'alarms':>10}{'records between':>18}{'us with draw':>14}")
    for name, make in DETECTORS.items():
        for rate in RATES:
            started = time.process_time()
            alarms = false_alarms(make, rate, options.records)
            cost = (time.process_time() - started) / options.records * 1e6
            between = f"{options.records // alarms:,}" if alarms else f"over {options.records:,}"
            print(f"{name:<24}{rate:>12}{alarms:>10,}{between:>18}{cost:>14.2f}", flush=True)
            if make in [DETECTORS[f"evidence, {knob:,}"] for knob in KNOBS]:
                is_kept = is_kept and alarms * make().between <= options.records
    print(f"\n{'median delay of a rise':<24}" + "".join(f"{f'x{rise}':>10}" for rise in RISES) + f"{'left out':>12}")
    for name, make in DETECTORS.items():
        found = [[delay(make, rise, options.steady, seed) for seed in range(options.changes)] for rise in RISES]
        known = [[at for at in row if at is not None] for row in found]
        medians = "".join(f"{statistics.median(row):>10,.0f}" if row else f"{'-':>10}" for row in known)
        print(f"{name:<24}{medians}{sum(map(len, found)) - sum(map(len, known)):>12}", flush=True)
    sys.exit(not is_kept)


if __name__ == "__main__":
    main()
