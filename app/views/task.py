"""`GET /v1/{task}`: the status of a task's shards on this worker."""

import asyncio

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from headrace.agents.shard import Shard
from headrace.agents.shards import Model
from headrace.app.answers import Status
from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.task import Json

END_SECONDS = 2.0
"""How long the look-up of the log's end may take; then `end` is null. A status must not hang with the broker."""


class TaskStatus(Resource):
    """The status of a task's shards."""

    @contract(role="predict", gives=Status)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """Return position, end, updates, digest and metrics of every shard that this worker owns or answers for."""
        served = self.serving.task(task)
        shards = served.shards
        known = shards.known()
        described = [await self._describe(shard, shards.answering(partition)) for partition, shard in known.items()]
        try:  # after the positions: an end before a position then means that the log has lost records
            ends = await asyncio.wait_for(shards.collaborators.log.ends(known), END_SECONDS)
        except (KafkaError, OSError):
            ends = {}
        for fields in described:
            if "position" in fields:
                fields["end"] = ends.get(fields["partition"])
        appender = self.serving.appender
        logging = {"appended": appender.appended, "failed": appender.failed, "refused": appender.refused}
        status: dict[str, Json] = {"task": task, "kind": served.task.kind, "logging": logging, "shards": described}
        if shards.trouble is not None:
            status["error"] = str(shards.trouble)
        if ingest := self.wiring.app.ingesting.get(task):
            status["sources"] = ingest.describe()
        if served.enricher is not None:
            status["stored"] = msgspec.structs.asdict(served.enricher.counts)
        if failed := [part for part in self.wiring.app.describe_background() if part.failures]:
            status["background"] = failed
        return self.answer(status)

    @staticmethod
    async def _describe(shard: Model, model: Model | None) -> dict[str, Json]:
        """Describe a shard, and the model that answers for it, which is another one while an owned shard is being opened."""
        fields: dict[str, Json] = {"partition": shard.partition, "state": shard.status}
        if shard.error:
            fields["error"] = shard.error
        if isinstance(shard, Shard):
            if shard.notice:
                fields["notice"] = shard.notice
            fields |= {"state_bytes": shard.saver.sealer.size, "seal_s": round(shard.saver.sealer.seconds, 6)}
        if model is None or model.learner is None:
            return fields
        digest = await model.digest()
        learner = model.learner.describe()
        fields["staleness_s"] = round(model.staleness, 3)
        return fields | learner | {"digest": digest[1] if digest and digest[0] == learner["position"] else None}
