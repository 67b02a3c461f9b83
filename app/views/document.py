"""`GET /openapi.json`: the contract of this worker."""

from aiohttp import web

from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.task import Json


class Document(Resource):
    """What there is to ask, of whom and how."""

    @contract(role="predict", gives=dict[str, Json])
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Give the OpenAPI document of this worker, with the features and labels of its tasks."""
        return self.answer(self.wiring.document)
