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
    """Every shard of every task has a model here to answer from, whoever owns it."""

    @contract(role=None, gives=Health, problems=(503,))
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """200 when ready; 503 with what is missing."""
        app: Any = self.app
        if not app.has_joined:
            raise Problem(503, "joining", "the worker has not joined its group yet.", "Ask again in a second.")
        for served in self.serving.tasks.values():
            for partition, error in served.shards.lacking():
                code, detail = "stopped", error
                if error is None:
                    code, detail = "opening", f"shard {partition} of task '{served.task.name}' is being opened."
                raise Problem(503, code, detail or "", "Ask again, or see GET /v1/{task}.")
            if served.enricher is not None and not served.enricher.store.is_current:
                detail = f"stored features of task '{served.task.name}' are being read."
                raise Problem(503, "opening", detail, "Ask again in a second.")
        return self.answer(Health(status="ready"))
