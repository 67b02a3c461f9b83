"""How large a model is in a snapshot, against its plain pickle: every model of the catalogue after the same rows.

    PYTHONHASHSEED=0 .venv/bin/python benchmarks/snapshot_bytes.py [ROWS]

Bytes are those of the champion's model alone, before compression. The data are seeded streams of River: Agrawal (2 classes, 9
features), RandomRBF (4 classes, 10 features) and Friedman (regression, 10 features).
"""

import itertools
import os
import pickle
import sys
from collections.abc import Iterable
from typing import Any

from river.datasets import synth

from learning.models import build, names_for
from learning.state import dump
from learning.task import Kind

ROWS = 5_000

SLOW = {"mondrian_forest": 1_000, "mondrian_regressor": 1_000}
"""Mondrian forests take a millisecond and more a row, so they learn fewer."""

STREAMS: dict[Kind, Iterable[tuple[dict[str, Any], Any]]] = {
    "binary": synth.Agrawal(seed=42),
    "multiclass": synth.RandomRBF(42, 42, n_classes=4, n_features=10),
    "regression": synth.Friedman(seed=42),
}


def sizes(kind: Kind, name: str, rows: int) -> tuple[int, int]:
    """Bytes of the plain pickle and bytes in a snapshot, after so many rows."""
    model = build(name, kind)
    for x, y in itertools.islice(STREAMS[kind], rows):
        features = {str(key): value for key, value in x.items()}  # as JSON has them
        model.learn_one(features, bool(y) if kind == "binary" else y)
    return len(pickle.dumps(model, protocol=5)), len(dump(model))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    print(f"{'model':<20} {'kind':<11} {'rows':>6} {'plain pickle, B':>16} {'snapshot, B':>12} {'ratio':>6}")
    for kind in STREAMS:
        for name in names_for(kind):
            learned = min(rows, SLOW.get(name, rows))
            plain, slim = sizes(kind, name, learned)
            print(f"{name:<20} {kind:<11} {learned:>6,} {plain:>16,} {slim:>12,} {plain / slim:>6.1f}", flush=True)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("run it with PYTHONHASHSEED=0, as workers are run")
    main()
