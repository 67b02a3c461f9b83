"""`GET /openapi.json`: the OpenAPI document of this worker."""

from aiohttp import web

from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.task import Json


class Document(Resource):
    """The OpenAPI document, which describes every route of this worker."""

    @contract(role="predict", gives=dict[str, Json])
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the OpenAPI document of this worker, with the features and labels of its tasks."""
        return self.answer(self.wiring.document)
