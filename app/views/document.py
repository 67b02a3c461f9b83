"""`GET /openapi.json`: the contract of this worker."""

from typing import Any

from aiohttp import web

from headrace.app.contract import contract
from headrace.app.views.resource import Resource


class Document(Resource):
    """What there is to ask, of whom and how."""

    @contract(role="predict", gives=dict[str, Any])
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Give the OpenAPI document of this worker, with the features and labels of its tasks."""
        return self.answer(self.wiring.document)
