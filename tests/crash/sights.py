"""What each worker says and serves after a change, held to the uninterrupted fold of the log at the very position that the worker names."""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import harness

from headrace.agents.replay import Replay
from headrace.learning.arms import Arm
from headrace.learning.task import Task
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka.log import KafkaEventLog
from headrace.tables.kafka.partitioner import partition_of

ROWS = [{"x": x} for x in (-2.0, -0.3, 0.0, 0.4, 1.7)]

SETTLE_SECONDS = 90.0
"""How long a worker may take to come past a change: it may be killed meanwhile, and started again."""


class Sight(NamedTuple):
    """What a worker told of a shard after a change: its champion at a position, or with `row` what it served for that row."""

    change: str
    worker: str
    partition: int
    position: int
    row: int | None
    told: dict[str, Any]


def look(workers: list[harness.Worker], shards: int, change: str, ends: dict[int, int]) -> list[Sight]:
    """Look at every shard on every worker, once the worker stands behind the change: at the ends that the log had after it, or further on."""
    sights = []
    keys = {partition_of(f"user-{number}", shards): f"user-{number}" for number in range(100)}
    for worker in workers:
        for partition in range(shards):
            sights.append(_wait(lambda one=worker, at=partition: _champion(one, at, change), ends[partition]))
            for row in range(len(ROWS)):
                key = keys[partition]
                asked = lambda one=worker, at=partition, key=key, row=row: _answer(one, at, key, row, change)  # noqa: E731
                sights.append(_wait(asked, ends[partition]))
    return sights


async def find_wrong(task: Task, partition: int, broker: str, sights: Iterable[Sight]) -> list[str]:
    """Fold the log of a shard without an interruption, and name the sights that are not what the fold says at their positions."""
    log, models = KafkaEventLog(task.events, broker), KafkaChangelog(f"{task.name}.versions", broker)
    wrong = []
    try:
        replay = await Replay(task, partition, log, models).begin()
        for sight in sorted((one for one in sights if one.partition == partition), key=lambda one: one.position):
            assert await replay.to(sight.position) is None, sight
            wanted = expected(replay.learner.champion, sight.row)
            if sight.told != wanted:
                wrong.append(f"{sight}, but the fold says {wanted}")
    finally:
        await models.stop()
        await log.stop()
    return wrong


def expected(champion: Arm, row: int | None) -> dict[str, Any]:
    """Say what a worker must tell of a champion, or serve by it for a row."""
    if row is None:
        return {"digest": champion.digest, "version": champion.version, "updates": champion.updates}
    prediction = champion.predict(ROWS[row])
    said = prediction.to_json() if prediction else {"prediction": None, "probabilities": None}
    return said | {"version": champion.version}


def ends_of(task: Task, broker: str) -> dict[int, int]:
    """Return the end of each shard's log."""

    async def ask() -> dict[int, int]:
        log = KafkaEventLog(task.events, broker)
        try:
            return await log.ends(range(task.partitions))
        finally:
            await log.stop()

    return asyncio.run(ask())


def _wait(tell, end: int) -> Sight:
    found: list[Sight] = []

    def is_behind() -> bool:
        sight = tell()
        if sight is not None and sight.position >= end:
            found.append(sight)
        return bool(found)

    harness.wait_for(is_behind, SETTLE_SECONDS, lambda: f"a worker behind {end}: {tell()}")
    return found[0]


def _champion(worker: harness.Worker, partition: int, change: str) -> Sight | None:
    for shard in (worker.get(f"/v1/{worker.task}") or {"shards": []})["shards"]:
        if shard["partition"] == partition and "champion" in shard.get("arms", {}):
            champion = shard["arms"]["champion"]
            told = {name: champion[name] for name in ("digest", "version", "updates")}
            return Sight(change, worker.folder.name, partition, shard["position"], None, told)
    return None


def _answer(worker: harness.Worker, partition: int, key: str, row: int, change: str) -> Sight | None:
    try:
        status, answer = worker.post(f"/v1/{worker.task}/predict", {"features": ROWS[row], "key": key})
    except harness.httpx.RequestError:
        return None  # it is killed just now
    if status != 200:
        return None
    told = {name: answer[name] for name in ("prediction", "probabilities", "version")}
    return Sight(change, worker.folder.name, partition, answer["position"], row, told)
