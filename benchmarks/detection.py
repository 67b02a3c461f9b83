"""How soon each detector sees a change of the error, at the same rate of false alarms.

    PYTHONHASHSEED=0 .venv/bin/python benchmarks/detection.py [--seeds 30] [--quick] [--costs] [--with-kswin]

Five streams of River change abruptly every 10,000 records, five times. A model learns each of them on through the changes, and
the detectors see its errors, each made before the label was learned. The same streams without a change, for a third of the seeds, give the
false alarms: the knob of each detector is set so that it raises `--rate` false alarms in 100,000 stationary records. Only rises are
alarms. Each series of errors is computed once and fed to all detectors.

The measures are those of CapyMOA's EvaluateDriftDetector: an alarm within `--max-delay` records after a change detects it; the episode
recall is the share of the changes that were detected; the mean time to detection is over the detected ones. Here a change counts once,
later alarms in its window count as neither, and alarms after the last window are false alarms too. `dummy` fires every so many records,
whatever it sees. The delay counts a missed change as `--max-delay`.
"""

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from river.datasets import synth

from headrace.learning.drift import make_detector
from headrace.learning.models import build

EACH, CHANGES = 10_000, 5
STEPS = 10
"""How often the range of a knob is halved."""

STATIONARY = 3
"""One in so many seeds has streams without a change too: three million records with 30 seeds, enough for 300 false alarms."""

TOLERANCE = 0.1
"""How far from the wanted rate of false alarms a detector may be, as a share of it."""


class Stream(NamedTuple):
    """A stream: how its concepts are made, of a number and a seed, and the model that learns it."""

    make: Callable[[int, int], Any]
    model: str
    kind: str = "binary"


STREAMS = {
    "SEA": Stream(lambda concept, seed: synth.SEA(concept % 4, noise=0.1, seed=seed), "logistic"),
    "STAGGER": Stream(lambda concept, seed: synth.STAGGER(concept % 3, seed=seed), "hoeffding_tree"),
    "Sine": Stream(lambda concept, seed: synth.Sine(concept % 4, seed=seed), "hoeffding_tree"),
    "Agrawal": Stream(lambda concept, seed: synth.Agrawal(concept % 10, seed=seed), "hoeffding_tree"),
    "LED": Stream(
        lambda concept, seed: synth.LEDDrift(
            seed, noise_percentage=0.1, irrelevant_features=True, n_drift_features=concept % 2 * 5
        ),
        "softmax",
        "multiclass",
    ),
}

AGREED = ("adwin", "delta"), ("hddm_a", "drift_confidence"), ("hddm_w", "drift_confidence")

KNOBS: dict[str, tuple[str, float, float, Callable[[float], Any]]] = {
    "adwin": ("delta", 0.9, 1e-12, lambda knob: {"use": "adwin", "delta": knob}),
    "page_hinkley": ("threshold", 1, 1_000, lambda knob: {"use": "page_hinkley", "threshold": knob, "mode": "up"}),
    "ddm": ("drift_threshold", 2, 100, lambda knob: {"use": "ddm", "drift_threshold": knob}),
    "hddm_a": ("drift_confidence", 0.9, 1e-12, lambda knob: {"use": "hddm_a", "drift_confidence": knob}),
    "hddm_w": ("drift_confidence", 0.9, 1e-12, lambda knob: {"use": "hddm_w", "drift_confidence": knob}),
    "error_rise": ("rise", 0.01, 100, lambda knob: {"use": "error_rise", "rise": knob}),
    "vote": (
        "level of each",
        0.9,
        1e-12,
        lambda knob: {"use": "vote", "detectors": [{"use": name, parameter: knob} for name, parameter in AGREED]},
    ),
    "evidence": ("between", 10, 1e9, lambda knob: {"use": "evidence", "between": round(knob)}),
    "kswin": ("alpha", 0.05, 1e-12, lambda knob: {"use": "kswin", "alpha": knob}),
}
"""Each detector of errors with its knob, the loosest and the strictest setting, and the settings of the detector by the knob."""


def errors_of(stream: Stream, seed: int, concepts: list[int], each: int) -> bytearray:
    """The errors of a model that learns the concepts one after the other: 1 for a wrong prediction, 0 for a right one."""
    model, errors = build(stream.model, stream.kind), bytearray()
    for number, concept in enumerate(concepts):
        for x, y in islice(stream.make(concept, seed * 100 + number), each):
            features = {str(name): value for name, value in x.items()}  # LED's are numbered
            errors.append(model.predict_one(features) != y)
            model.learn_one(features, y)
    return errors


def alarms_of(spec: Any, errors: bytearray) -> list[int]:
    """The places of the alarms of a new detector. An improvement is no alarm."""
    update = make_detector(spec).update
    changes = ((at, update(float(error))) for at, error in enumerate(errors))
    return [at for at, change in changes if change and not change.is_warning and change.after > change.before]


class Score(NamedTuple):
    """What a detector has done on some series."""

    found: int = 0
    missed: int = 0
    false: int = 0
    delays: int = 0

    def __add__(self, other: "Score") -> "Score":  # type: ignore[override]
        return Score(*(one + another for one, another in zip(self, other, strict=True)))


def score(alarms: list[int], changes: list[int], max_delay: int) -> Score:
    """Compare alarms with the changes that there were.

    >>> score([500, 1200, 1250, 2100], [1000, 2000], 200)
    Score(found=2, missed=0, false=1, delays=300)
    """
    first = [next((at for at in alarms if change <= at <= change + max_delay), None) for change in changes]
    delays = [at - change for at, change in zip(first, changes, strict=True) if at is not None]
    false = sum(not any(change <= at <= change + max_delay for change in changes) for at in alarms)
    return Score(len(delays), len(changes) - len(delays), false, sum(delays))


def tune(name: str, wanted: float, stationary: list[bytearray]) -> tuple[float, float]:
    """Halve the range of a knob until the rate of false alarms is the wanted one; return the knob and the rate in 100,000 records."""
    _, loose, strict, make = KNOBS[name]
    records, tried = sum(map(len, stationary)), []
    for _ in range(STEPS):
        knob = (loose * strict) ** 0.5
        rate = sum(len(alarms_of(make(knob), errors)) for errors in stationary) / records * 100_000
        tried.append((abs(rate - wanted), knob, rate))
        if abs(rate - wanted) <= TOLERANCE * wanted:
            break
        loose, strict = (knob, strict) if rate > wanted else (loose, knob)
    _, knob, rate = min(tried)
    return knob, rate


def costs() -> Iterator[tuple[str, float]]:
    """Microseconds of processor time of one update of each detector, the shortest of three runs."""
    dice = random.Random(1)
    shares = [float(dice.random() < 0.2) for _ in range(20_000)]
    numbers, strings = [dice.gauss(0, 1) for _ in shares], [dice.choice("abcdefgh") for _ in shares]
    vote = {"use": "vote", "detectors": ["adwin", "hddm_a", "hddm_w"]}
    specs = (
        "adwin",
        "page_hinkley",
        "kswin",
        "ddm",
        "hddm_a",
        "hddm_w",
        "error_rise",
        "evidence",
        "oscillation",
        vote,
        "ks",
        "psi",
    )
    series = [*((spec, numbers if spec in {"ks", "psi"} else shares) for spec in specs if spec != vote), (vote, shares)]
    for spec, every in [*series, ("psi", strings), ("chi_square", strings)]:
        values = every[:2_000] if spec == "kswin" else every
        times = []
        for _ in range(3):
            update = make_detector(spec).update
            started = time.process_time()
            for value in values:
                update(value)
            times.append((time.process_time() - started) / len(values))
        yield f"{spec if isinstance(spec, str) else 'vote'}{' of strings' * (every is strings)}", min(times) * 1e6


def row(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def print_table(names: list[str], rows: list[list[Any]]) -> None:
    print(row(names), row(["---"] * len(names)), *map(row, rows), "", sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rate", type=float, default=10.0, help="false alarms in 100,000 stationary records")
    parser.add_argument("--max-delay", type=int, help="a fifth of the records between changes")
    parser.add_argument(
        "--quick", action="store_true", help="one seed, and a change every 1,500 records: too few to judge by"
    )
    parser.add_argument("--costs", action="store_true", help="only the time of one update of each detector")
    parser.add_argument("--with-kswin", action="store_true", help="KSWIN too, which takes a hundred times as long")
    options = parser.parse_args()
    if options.costs:
        print_table(["Detector", "us an update"], [[name, f"{cost:.2f}"] for name, cost in costs()])
        return
    started = time.perf_counter()
    seeds, each = (1, 1_500) if options.quick else (options.seeds, EACH)
    max_delay = options.max_delay or each // 5
    names = [*(known for known in KNOBS if known != "kswin" or options.with_kswin), "dummy"]
    with multiprocessing.get_context("fork").Pool() as pool:
        made = {stream: pool.map(partial(changing, stream, each), range(seeds)) for stream in STREAMS}
        few = range(max(1, seeds // STATIONARY))
        same = [errors for stream in STREAMS for errors in pool.map(partial(stationary, stream, each), few)]
        measured = []
        for one in pool.imap(partial(measure, options.rate, max_delay, each, same, made), names):
            print(one[0], file=sys.stderr, flush=True)
            measured.append(one)
    print_table(
        [
            "Detector", "Knob", "False alarms in 100,000 stationary records", "Episode recall", "Mean time to detection",
            "Delay", f"Misses of {CHANGES * seeds * len(STREAMS)}", "False alarms in the streams with changes",
        ],
        [cells for cells, _ in measured],
    )  # fmt: skip
    print_table(["Episode recall, mean time to detection", *STREAMS], [cells for _, cells in measured])
    print(f"{seeds} seeds, a change every {each:,} records; {time.perf_counter() - started:.0f} s.")


def changing(stream: str, each: int, seed: int) -> bytearray:
    """The errors on a stream whose world changes."""
    return errors_of(STREAMS[stream], seed, list(range(CHANGES + 1)), each)


def stationary(stream: str, each: int, seed: int) -> bytearray:
    """The errors on a stream whose world stays the same."""
    return errors_of(STREAMS[stream], seed, [seed] * (CHANGES + 1), each)


def measure(
    rate: float, max_delay: int, each: int, same: list[bytearray], made: dict[str, list[bytearray]], name: str
) -> tuple[list[Any], list[Any]]:
    """Measure a detector at so many false alarms in 100,000 stationary records: its row of each table."""
    every, places = round(100_000 / rate), [each * number for number in range(1, CHANGES + 1)]
    if name == "dummy":
        knob, rate, name_of_knob = every, 100_000 / every, "records"
        alarms = partial(dummy, every)
    else:
        knob, rate = tune(name, rate, same)
        name_of_knob, make = KNOBS[name][0], KNOBS[name][3]
        alarms = partial(alarms_of, make(knob))
    parts = {
        stream: sum((score(alarms(errors), places, max_delay) for errors in series), Score())
        for stream, series in made.items()
    }
    whole = sum(parts.values(), Score())
    count = whole.found + whole.missed
    mean = f"{whole.delays / whole.found:.0f}" if whole.found else "-"
    delay = (whole.delays + whole.missed * max_delay) / count
    cells = [
        name,
        f"{name_of_knob} {knob:.3g}",
        f"{rate:.1f}",
        f"{whole.found / count:.2f}",
        mean,
        f"{delay:.0f}",
        whole.missed,
        whole.false,
    ]
    return cells, [name, *(told_of(part) for part in parts.values())]


def dummy(every: int, errors: bytearray) -> list[int]:
    """An alarm after every so many records."""
    return list(range(every - 1, len(errors), every))


def told_of(part: Score) -> str:
    mean = f", {part.delays / part.found:.0f}" if part.found else ""
    return f"{part.found / (part.found + part.missed):.2f}{mean}"


if __name__ == "__main__":
    main()
