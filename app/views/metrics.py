"""`GET /metrics`: the metrics of this worker for Prometheus."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from headrace.app.contract import contract
from headrace.app.errors import Problem
from headrace.app.exporter import scrape
from headrace.app.views.resource import Resource


class Metrics(Resource):
    """The metrics of all tasks on this worker, in the text format of Prometheus."""

    @contract(role="predict", gives=str, media="text/plain", problems=(421,))
    async def get(self, request: web.Request) -> web.Response:
        """Return the metrics of this worker for Prometheus, as text. A port that several processes share refuses."""
        siblings = self.wiring.siblings
        if siblings is not None and siblings.is_shared(request):
            detail = f"{siblings.place.of} processes share this port, and each has counts of its own."
            raise Problem(421, "shared_port", detail, f"Scrape each: {', '.join(siblings.addresses.values())}.")
        return web.Response(body=await scrape(self.wiring.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
