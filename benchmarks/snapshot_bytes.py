"""How large a model is in a snapshot, against its plain pickle: every model of the catalogue after the same rows.

    PYTHONHASHSEED=0 .venv/bin/python benchmarks/snapshot_bytes.py [ROWS]

Bytes are those of the champion's model alone; `zstd` is what the snapshot's bytes are compressed to before they are stored. Times are
of the whole state, with its metrics and a window of 1,000 predictions: the best of several, in milliseconds of processor time. The
data are seeded streams of River: Agrawal (2 classes, 9 features), RandomRBF (4 classes, 10 features) and Friedman (regression, 10
features).
"""

import itertools
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from time import process_time
from typing import Any, NamedTuple

import zstandard
from river.datasets import synth

from headrace.learning.models import names_for
from headrace.learning.snapshot import digest, encode
from headrace.learning.state import State
from headrace.learning.task import Kind, Task

ROWS = 5_000

SLOW = {"mondrian_forest": 1_000, "mondrian_regressor": 1_000}
"""Mondrian forests take a millisecond and more a row, so they learn fewer."""

STREAMS: dict[Kind, Iterable[tuple[dict[str, Any], Any]]] = {
    "binary": synth.Agrawal(seed=42),
    "multiclass": synth.RandomRBF(42, 42, n_classes=4, n_features=10),
    "regression": synth.Friedman(seed=42),
}


class Figures(NamedTuple):
    """Bytes of the model and milliseconds of its state."""

    plain: int
    slim: int
    zstd: int
    dump_ms: float
    digest_ms: float


def measure(kind: Kind, name: str, rows: int) -> Figures:
    """The figures of a model after so many rows."""
    state = State(Task(name="benchmark", kind=kind, model=name))
    arm = state.arms["champion"]
    for x, y in itertools.islice(STREAMS[kind], rows):
        features = {str(key): value for key, value in x.items()}  # as JSON has them
        label = bool(y) if kind == "binary" else y
        arm.score(arm.predict(features), label)
        arm.learn(features, label)
        state.probes.append(features)
    slim = encode(arm.model)
    return Figures(
        plain=len(pickle.dumps(arm.model, protocol=5)),
        slim=len(slim),
        zstd=len(zstandard.compress(slim)),
        dump_ms=best(lambda: encode(state)),
        digest_ms=best(lambda: digest(state)),
    )


def best(call: Callable[[], object]) -> float:
    """The shortest of several calls, in milliseconds of processor time; a long one is called less often."""
    times: list[float] = []
    while len(times) < 3 or (len(times) < 30 and sum(times) < 1_000):
        start = process_time()
        call()
        times.append((process_time() - start) * 1_000)
    return min(times)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    print(
        f"{'model':<20} {'kind':<11} {'rows':>6} {'plain pickle, B':>16} {'snapshot, B':>12} {'ratio':>6} {'zstd, B':>10}"
        f" {'dump, ms':>9} {'digest, ms':>11}"
    )
    for kind in STREAMS:
        for name in names_for(kind):
            learned = min(rows, SLOW.get(name, rows))
            told = measure(kind, name, learned)
            print(
                f"{name:<20} {kind:<11} {learned:>6,} {told.plain:>16,} {told.slim:>12,} {told.plain / told.slim:>6.1f}"
                f" {told.zstd:>10,} {told.dump_ms:>9.2f} {told.digest_ms:>11.2f}",
                flush=True,
            )


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("run it with PYTHONHASHSEED=0, as workers are run")
    main()
