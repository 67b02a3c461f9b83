"""`GET /v1/{task}`: where each shard stands, as this worker has it."""

import asyncio

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from headrace.agents.shard import Shard
from headrace.agents.shards import Model
from headrace.app.answers import Standing
from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.task import Json

END_SECONDS = 2.0
"""How long the broker may take to tell the end of the log; then `end` is null. A status must not hang with the broker."""


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
        standing: dict[str, Json] = {"task": task, "kind": served.task.kind, "logging": logging, "shards": told}
        if shards.trouble is not None:
            standing["error"] = str(shards.trouble)
        if ingest := self.wiring.app.ingesting.get(task):
            standing["sources"] = ingest.describe()
        if served.enricher is not None:
            standing["stored"] = msgspec.structs.asdict(served.enricher.counts)
        if failed := [one for one in self.wiring.app.describe_background() if one.failures]:
            standing["background"] = failed
        return self.answer(standing)

    @staticmethod
    async def _describe(shard: Model, model: Model | None) -> dict[str, Json]:
        """The state of a shard, and of the model that is answered from: while an owned one is being opened, another."""
        about: dict[str, Json] = {"partition": shard.partition, "state": shard.status}
        if shard.error:
            about["error"] = shard.error
        if isinstance(shard, Shard):
            if shard.notice:
                about["notice"] = shard.notice
            about |= {"state_bytes": shard.saver.sealer.size, "seal_s": round(shard.saver.sealer.seconds, 6)}
        if model is None or model.learner is None:
            return about
        known = await model.digest()
        told = model.learner.describe()
        about["staleness_s"] = round(model.staleness, 3)
        return about | told | {"digest": known[1] if known and known[0] == told["position"] else None}
