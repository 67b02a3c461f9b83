"""How long the loop of a worker is held while a large state is sealed, its digest computed, and a snapshot read: a Mondrian forest of 50 MB.

    PYTHONPATH=tests .venv/bin/python benchmarks/pauses.py [--megabytes 50]

Beside the work a task wakes every millisecond and notes how late it is. Each figure is of three rounds.
"""

import argparse
import asyncio
import gc
import random
import sys
import time

from headrace.agents.budget import Budget
from headrace.agents.garbage import collector_pause
from headrace.agents.sealer import Sealer
from headrace.app.worker import SWITCH_SECONDS
from headrace.learning.snapshot import seal, unseal
from headrace.learning.state import State
from headrace.learning.task import Task

TASK = Task(name="pauses", kind="regression", model={"use": "mondrian_regressor", "megabytes": 1_000})


def grown(megabytes: int) -> State:
    """A state of so many megabytes."""
    state, dice = State(TASK), random.Random(1)
    arm = state.arms["champion"]
    for _ in range(megabytes * 205):  # 4.9 KB a row
        features = {name: dice.gauss(0, 1) for name in "abcde"}
        arm.learn(features, features["a"] + features["b"])
    return state


async def longest_pause(work) -> tuple[float, float]:
    """The seconds that work took, and the longest that the loop was late meanwhile."""
    latest, ended = 0.0, False

    async def wake() -> None:
        nonlocal latest
        while not ended:
            at = time.perf_counter()
            await asyncio.sleep(0.001)
            latest = max(latest, time.perf_counter() - at - 0.001)

    waking = asyncio.create_task(wake())
    await asyncio.sleep(0.01)
    started = time.perf_counter()
    await work()
    took, ended = time.perf_counter() - started, True
    await waking
    return took, latest


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=50)
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()  # as a worker does before it learns
    state = grown(options.megabytes)
    sealer = Sealer(Budget())
    sealer.size = 1 << 30  # as after the loading of a large snapshot
    sealed = collector_pause.run(seal, state, TASK, 0, writer="w")
    for name, work in (
        ("snapshot", lambda: sealer.seal(state, TASK, 0, writer="w", key=None)),
        ("digest", lambda: sealer.digests(state)),
        ("loading", lambda: asyncio.to_thread(collector_pause.run, unseal, sealed, TASK, 0)),
    ):
        for _ in range(3):
            took, late = await longest_pause(work)
            print(
                f"{name:9} of {sealer.size / 1e6:5.1f} MB: {took:6.2f} s, the loop late by {late * 1000:6.1f} ms at most"
            )


if __name__ == "__main__":
    asyncio.run(main())
