"""`GET /healthz` and `/readyz`: whether the process lives, and whether it can answer."""

from typing import Any

from aiohttp import web

from app.errors import Problem
from app.views.serving import Resource


class Healthy(Resource):
    """The process answers."""

    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200 as long as the loop runs."""
        return self.answer({"status": "alive"})


class Ready(Resource):
    """Every shard that the group gave to this worker has a model to answer from."""

    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200 when ready; 503 with what is missing."""
        app: Any = self.app
        if not app.has_joined:
            raise Problem(503, "joining", "the worker has not joined its group yet.", "Ask again in a second.")
        for served in self.serving.tasks.values():
            if not served.shards.is_ready:
                errors = [shard.error for shard in served.shards.owned.values() if shard.error]
                detail = errors[0] if errors else f"shards of task '{served.task.name}' are being opened."
                raise Problem(503, "stopped" if errors else "opening", detail, "Ask again, or see GET /v1/{task}.")
            if served.enricher is not None and not served.enricher.store.is_current:
                detail = f"stored features of task '{served.task.name}' are being read."
                raise Problem(503, "opening", detail, "Ask again in a second.")
        return self.answer({"status": "ready"})
