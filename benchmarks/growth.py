"""How large a state becomes: every model of the catalogue, and what else a state counts, after rows of several sorts.

    PYTHONHASHSEED=0 .venv/bin/python benchmarks/growth.py [ROWS] [MODEL ...]

`fixed` rows have ten numbers and a string of five values, as honest data do. `names` have a number of a new name in each row, `values` a
string feature of a new value in each row, and `labels` (of many classes) a new label in each row: what an id does that was sent as a
feature. Bytes are those of the model as `learning.encoding.encode` writes it; `B/row` is what the second half of the rows has added. Of rows
with new labels there are a quarter as many: their cost grows with the square of their number and faster. Below is what a state holds
beside its arms: the last positions of sources, at their bound.
"""

import os
import random
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from headrace.learning.arms.arm import Arm
from headrace.learning.fold.learner import Learner
from headrace.learning.fold.sources import SOURCES_MAX
from headrace.learning.models import MODELS, names_for
from headrace.learning.snapshot import encode
from headrace.learning.task import Kind, Label, Task, Value

ROWS = 2_000

Features = dict[str, Value]

SORTS: dict[str, Callable[[int], Features]] = {
    "fixed": lambda _: {},
    "names": lambda number: {f"visitor {number}": 1.0 + number % 7},
    "values": lambda number: {"visitor": f"id-{number}"},
    "labels": lambda _: {},
}


def row(kind: Kind, sort: str, rng: random.Random, number: int) -> tuple[Features, Label]:
    """Features and a label that follows from them."""
    x: Features = {f"n{feature}": rng.gauss(0, 1) for feature in range(10)}
    x["country"] = rng.choice(["PT", "ES", "FR", "IT", "DE"])
    score = float(x["n0"]) + float(x["n1"]) + (x["country"] == "PT") + rng.gauss(0, 0.3)
    labels: dict[Kind, Label] = {"binary": score > 0, "multiclass": "abcd"[int(abs(score)) % 4], "regression": score}
    label = f"label {number}" if sort == "labels" else labels[kind]
    return x | SORTS[sort](number), label


def grow(kind: Kind, name: str, sort: str, rows: int) -> tuple[int, int]:
    """Bytes of the model after half the rows, and after all."""
    arm, rng, sizes = Arm(Task(name="growth", kind=kind, model=name), role="champion"), random.Random(1), []
    for number in range(rows):
        x, y = row(kind, sort, rng, number)
        arm.learn(x, y)
        if number + 1 in (rows // 2, rows):
            sizes.append(len(encode(arm.model)))
    return sizes[0], sizes[1]


def sources() -> int:
    """Bytes that a state's source positions add at their bound."""
    learner = Learner(Task(name="growth", kind="binary", model="no_change"), partition=0)
    before = len(encode(learner.state))
    for number in range(SOURCES_MAX):
        source = f"a-topic-of-another-team.v1/{number}/{10**12}"
        value = b'{"features": {}, "label": true, "source": "%s"}' % source.encode()
        message: Any = SimpleNamespace(offset=number, timestamp=0, key=None, value=value)
        for _ in learner.fold(message):
            pass
    return len(encode(learner.state)) - before


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    wanted = sys.argv[2:] or list(MODELS)
    print("| model | kind | rows | learned | B after half | B after all | B/row |\n|---|---|---|---|---|---|---|")
    kinds: tuple[Kind, ...] = ("binary", "multiclass", "regression")
    for kind in kinds:
        for name in (name for name in names_for(kind) if name in wanted):
            for sort in SORTS if kind == "multiclass" else list(SORTS)[:3]:
                learned = rows // 4 if sort == "labels" else rows
                half, whole = grow(kind, name, sort, learned)
                rate = (whole - half) / (learned - learned // 2)
                print(f"| {name} | {kind} | {sort} | {learned:,} | {half:,} | {whole:,} | {rate:,.0f} |", flush=True)
    if len(sys.argv) < 3:
        print(f"\n{SOURCES_MAX:,} partitions of sources: {sources():,} B")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        sys.exit("run it with PYTHONHASHSEED=0, as workers are run")
    main()
