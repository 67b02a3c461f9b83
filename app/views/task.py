"""`GET /v1/{task}`: where each shard stands, as this worker has it."""

import asyncio
from typing import Any, Literal

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError
from msgspec import UNSET, UnsetType

from headrace.agents.background import BackgroundStatus
from headrace.agents.shard import Shard, Status
from headrace.agents.shards import Model
from headrace.app.answers import Position
from headrace.app.contract import contract
from headrace.app.views.serving import Resource
from headrace.learning.task import Kind

END_SECONDS = 2.0
"""How long the broker may take to tell the end of the log; then `end` is null. A status must not hang with the broker."""


class ArmStanding(msgspec.Struct):
    """One arm: what it is, and its metrics; None while there is no finite figure."""

    role: Literal["champion", "challenger", "baseline"]
    model: str
    version: str | None
    metrics: dict[str, Any]


class ShardStanding(msgspec.Struct):
    """One shard; of one that is being opened only partition and state are known.

    `end` is None while the broker does not tell it, and `digest` while the shard stands in the middle of a message, or takes too long
    to compute. `notice` says what was amiss when the shard was opened, and what was done. `state_bytes` and `seal_s` are the size of the
    last snapshot before compression, and the seconds that it took to make.
    """

    partition: Position
    state: Status | Literal["replica"]
    error: str | UnsetType = UNSET
    notice: str | UnsetType = UNSET
    state_bytes: Position | UnsetType = UNSET
    seal_s: float | UnsetType = UNSET
    position: Position | UnsetType = UNSET
    end: Position | UnsetType | None = UNSET
    staleness_s: float | UnsetType = UNSET
    updates: Position | UnsetType = UNSET
    quarantined: Position | UnsetType = UNSET
    skipped: Position | UnsetType = UNSET
    questions: dict[str, Any] | UnsetType = UNSET
    served: dict[str, Any] | UnsetType = UNSET
    order: dict[str, Position] | UnsetType = UNSET
    batch: dict[str, Position] | UnsetType = UNSET
    digest: str | UnsetType | None = UNSET
    arms: dict[str, ArmStanding] | UnsetType = UNSET


class Standing(msgspec.Struct):
    """A task on this worker. `error` says why it is stopped as a whole: its topics cannot serve. `background` has the tasks of the worker's own that have failed and were started again, of all its tasks."""

    task: str
    kind: Kind
    logging: dict[str, Position]
    shards: list[ShardStanding]
    error: str | UnsetType = UNSET
    sources: dict[str, Any] | UnsetType = UNSET
    stored: dict[str, Position] | UnsetType = UNSET
    background: list[BackgroundStatus] | UnsetType = UNSET


class TaskStatus(Resource):
    """The state of a task's shards."""

    @contract(role="predict", gives=Standing)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """Position, end, updates, digest and metrics of every shard that this worker owns or answers for."""
        served = self.serving.task(task)
        shards = served.shards
        found = shards.known()
        told = [await self._describe(shard, shards.answering(partition)) for partition, shard in found.items()]
        try:  # after the positions: an end that lies before one is not a matter of time
            ends = await asyncio.wait_for(shards.collaborators.log.ends(found), END_SECONDS)
        except (KafkaError, OSError):
            ends = {}
        for about in told:
            if "position" in about:
                about["end"] = ends.get(about["partition"])
        appender = self.serving.appender
        logging = {"appended": appender.appended, "failed": appender.failed, "refused": appender.refused}
        standing: dict[str, Any] = {"task": task, "kind": served.task.kind, "logging": logging, "shards": told}
        if shards.trouble is not None:
            standing["error"] = str(shards.trouble)
        if ingest := self.serving.app.ingesting.get(task):
            standing["sources"] = ingest.describe()
        if served.enricher is not None:
            standing["stored"] = msgspec.structs.asdict(served.enricher.counts)
        if failed := [one for one in self.serving.app.describe_background() if one.failures]:
            standing["background"] = failed
        return self.answer(standing)

    @staticmethod
    async def _describe(shard: Model, model: Model | None) -> dict[str, Any]:
        """The state of a shard, and of the model that is answered from: while an owned one is being opened, another."""
        about: dict[str, Any] = {"partition": shard.partition, "state": shard.status}
        if shard.error:
            about["error"] = shard.error
        if isinstance(shard, Shard):
            if shard.notice:
                about["notice"] = shard.notice
            about |= {"state_bytes": shard.sealer.size, "seal_s": round(shard.sealer.seconds, 6)}
        if model is None or model.learner is None:
            return about
        known = await model.digest()
        told = model.learner.describe()
        about["staleness_s"] = round(model.staleness, 3)
        return about | told | {"digest": known[1] if known and known[0] == told["position"] else None}
