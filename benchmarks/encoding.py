"""How long a state takes to be encoded and decoded, beside pickle in the same run.

    PYTHONPATH=tests .venv/bin/python benchmarks/encoding.py [--megabytes 20]

Times are seconds of processor time, the shortest of three. Pickle is Python's own, which writes the idle generators of trees too.
"""

import argparse
import gc
import pickle
import random
import time
from functools import partial

from headrace.learning.snapshot import decode, encode
from headrace.learning.state import State
from headrace.learning.task import Task

ROWS = 5_000
MODELS = {"logistic": "binary", "hoeffding_tree": "binary", "arf": "binary"}


def learned(task: Task, rows: int) -> State:
    """A state that has learned so many rows."""
    state, dice = State(task), random.Random(1)
    arm = state.arms["champion"]
    for _ in range(rows):
        x = {name: dice.gauss(0, 1) for name in "abcde"}
        arm.learn(x, x["a"] + x["b"] > 0.3 if task.kind == "binary" else x["a"] + x["b"])
    return state


def shortest(work) -> float:
    times = []
    for _ in range(3):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=20)
    options = parser.parse_args()
    tasks = {name: (Task(name="t", kind=kind, model=name), ROWS) for name, kind in MODELS.items()}
    forest = {"use": "mondrian_regressor", "megabytes": 1_000}
    tasks["mondrian_regressor"] = Task(name="t", kind="regression", model=forest), options.megabytes * 270
    gc.disable()
    head = ("bytes", "pickle's", "encode", "decode", "dumps", "loads", "written in", "read in")
    print(f"{'model':<20}" + "".join(f"{text:>12}" for text in head))
    for name, (task, rows) in tasks.items():
        state = learned(task, rows)
        data, pickled = encode(state), pickle.dumps(state, 5)
        works = (
            partial(encode, state),
            partial(decode, data),
            partial(pickle.dumps, state, 5),
            partial(pickle.loads, pickled),
        )
        times = [shortest(work) for work in works]
        ratios = times[0] / times[2], times[1] / times[3]
        print(
            f"{name:<20}{len(data):>12,}{len(pickled):>12,}"
            + "".join(f"{t:>11.4f}s" for t in times)
            + "".join(f"{r:>11.1f}x" for r in ratios)
        )


if __name__ == "__main__":
    main()
