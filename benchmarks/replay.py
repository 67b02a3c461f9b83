"""How long `headrace replay --to` takes, as a ratio to River alone, and whether each state is the plain fold's.

    PYTHONPATH=tests PYTHONHASHSEED=0 .venv/bin/python benchmarks/replay.py [--rows 200000] [--positions 50] [--pack 1] [--json]

The model is `logistic` with ADWIN, all metrics and validation on; the log has a checkpoint, a rollback and a new definition now and
then. River alone predicts, watches the error and learns the same rows from memory.
"""

import asyncio
import json
import random
import statistics

import harness
import msgspec
from options import read_options
from throughput import phishing, river_alone

from headrace.agents.replay import Replay
from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest
from headrace.learning.task import Task, define
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka.log import KafkaEventLog

TASK = Task(name="past", kind="binary", predictions=False)
CONTROLS = [
    {"control": "checkpoint"},
    {"control": "rollback"},
    {"control": "define", "task": json.loads(define(TASK)) | {"feature_limit": 500}},
    {"control": "define", "task": json.loads(define(TASK))},
]


def messages(rows: list[dict], pack: int):
    """The log: a first definition, rows, and a control record twenty times."""
    yield msgspec.json.encode({"control": "define", "task": json.loads(define(TASK)), "first": True})
    every = max(len(rows) // 20 // pack, 1)
    for number, start in enumerate(range(0, len(rows), pack), 1):
        yield b"\n".join(map(msgspec.json.encode, rows[start : start + pack]))
        if number % every == 0:
            yield msgspec.json.encode(CONTROLS[number // every % len(CONTROLS)])


async def measure(broker: str, positions: list[int]) -> list[tuple[int, Replay]]:
    """Replay to each position, from the beginning."""
    log, models = KafkaEventLog(TASK.events, broker), KafkaChangelog("past.versions", broker)
    done = []
    try:
        for position in positions:
            replay = await Replay(TASK, 0, log, models).begin()
            await replay.to(position)
            done.append((position, replay))
            print(f"position {position:8,}: {replay.rows_per_s:8,.0f} rows/s", flush=True)
    finally:
        await log.stop()
        await models.stop()
    return done


def main() -> None:
    options = read_options(__doc__, rows=200_000, positions=50, pack=1)
    rows = phishing(options.rows)
    values = list(messages(rows, options.pack))
    positions = sorted(random.Random(1).sample(range(1, len(values) + 1), options.positions))
    with harness.running_broker() as broker:
        harness.make_topics(broker, TASK)
        asyncio.run(harness.append(broker, TASK.events, ((0, value) for value in values)))
        alone = statistics.median(river_alone(rows) for _ in range(3))
        done = asyncio.run(measure(broker, positions))
        log = asyncio.run(harness.read_all(broker, TASK.events))
    learner, folded, equal = Learner(TASK, 0), iter(log), 0
    for position, replay in done:
        while learner.state.position < position:
            for _ in learner.fold(next(folded)):
                pass
        equal += digest(learner.state) == digest(replay.learner.state)
    speed = statistics.median(replay.rows_per_s for _, replay in done)
    found = {
        "river_rows_per_s": alone,
        "replay_rows_per_s": speed,
        "ratio": alone / speed,
        "equal": equal,
        "of": len(done),
    }
    if options.json:
        print(json.dumps(found))
    else:
        print(f"River alone {alone:,.0f} rows/s, replay {speed:,.0f} rows/s: {alone / speed:.2f} times as long")
        print(f"{equal} of {len(done)} states equal the plain fold")


if __name__ == "__main__":
    main()
