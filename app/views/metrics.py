"""`GET /metrics`: the metrics of this worker for Prometheus."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from headrace.app.contract import contract
from headrace.app.exporter import scrape
from headrace.app.views.resource import Resource


class Metrics(Resource):
    """The metrics of all tasks on this worker, in the text format of Prometheus."""

    @contract(role="predict", gives=str, media="text/plain")
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Return the metrics of this worker for Prometheus, as text."""
        return web.Response(body=await scrape(self.wiring.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
