"""`GET /v1/{task}`: where each shard stands, as this worker has it."""

import asyncio
from typing import Any

from aiohttp import web
from aiokafka.errors import KafkaError

from agents.shards import Model
from app.views.serving import Resource

END_SECONDS = 2.0
"""How long the broker may take to tell the end of the log; then `end` is null. A status must not hang with the broker."""


class TaskStatus(Resource):
    """The state of a task's shards."""

    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """Position, end, updates, digest and metrics of every shard that this worker owns or answers for."""
        served = self.serving.task(task)
        shards = served.shards
        found = shards.models()
        try:
            ends = await asyncio.wait_for(shards.around.log.ends(found), END_SECONDS)
        except (KafkaError, OSError):
            ends = {}
        told = [await self._describe(shard, ends.get(partition)) for partition, shard in found.items()]
        appender = self.serving.appender
        logging = {"appended": appender.appended, "failed": appender.failed, "refused": appender.refused}
        return self.answer({"task": task, "kind": served.task.kind, "logging": logging, "shards": told})

    @staticmethod
    async def _describe(shard: Model, end: int | None) -> dict[str, Any]:
        about: dict[str, Any] = {"partition": shard.partition, "state": shard.status}
        if shard.error:
            about["error"] = shard.error
        known = await shard.digest()
        if shard.learner is None:
            return about
        told = shard.learner.describe()
        about |= {"end": None if end is None else max(end, told["position"]), "staleness_s": round(shard.staleness, 3)}
        return about | told | {"digest": known[1] if known and known[0] == told["position"] else None}
