"""`GET /healthz` and `/readyz`: whether the process lives, and whether it can answer."""

from typing import Any, Literal

import msgspec
from aiohttp import web

from app.contract import contract
from app.errors import Problem
from app.views.serving import Resource


class Health(msgspec.Struct, frozen=True):
    """How the worker is."""

    status: Literal["alive", "ready"]


class Healthy(Resource):
    """The process answers."""

    @contract(role=None, gives=Health)
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200 as long as the loop runs."""
        return self.answer(Health(status="alive"))


class Ready(Resource):
    """Every shard that the group gave to this worker has a model to answer from."""

    @contract(role=None, gives=Health, problems=(503,))
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
        return self.answer(Health(status="ready"))
