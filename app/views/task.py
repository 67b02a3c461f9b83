"""`GET /v1/{task}`: where each shard of this worker stands."""

import asyncio
from typing import Any

from aiohttp import web
from aiokafka.errors import KafkaError

from agents.shard import Shard
from app.views.serving import Resource

END_SECONDS = 2.0
"""How long the broker may take to tell the end of the log; then `end` is null. A status must not hang with the broker."""


class TaskStatus(Resource):
    """The state of a task's shards."""

    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """Position, end, updates, digest and metrics of every shard that this worker owns or still answers for."""
        served = self.serving.task(task)
        shards = served.shards
        found = {**shards.last, **shards.owned}
        try:
            ends = await asyncio.wait_for(shards.around.log.ends(found), END_SECONDS)
        except (KafkaError, OSError):
            ends = {}
        told = [await self._describe(shard, ends.get(partition)) for partition, shard in sorted(found.items())]
        about: dict[str, Any] = {"task": task, "kind": served.task.kind, "shards": told}
        if served.enricher is not None:
            about["stored"] = served.enricher.counts
        return self.answer(about)

    @staticmethod
    async def _describe(shard: Shard, end: int | None) -> dict[str, Any]:
        about: dict[str, Any] = {"partition": shard.partition, "state": shard.status}
        if shard.error:
            about["error"] = shard.error
        known = await shard.digest()
        if shard.learner is None:
            return about
        told = shard.learner.describe()
        about |= {"end": None if end is None else max(end, told["position"]), "staleness_s": round(shard.staleness, 3)}
        return about | told | {"digest": known[1] if known and known[0] == told["position"] else None}
