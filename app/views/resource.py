"""The base class of the HTTP views."""

import msgspec
from aiohttp import web
from faust.web import View

from headrace.agents.learn import LearningApp
from headrace.app.connections import Web
from headrace.app.contract import METHODS
from headrace.app.wiring import Wiring


class WiredWeb(Web):
    """The web server of a worker, which passes the worker's parts to its views.

    Parameters
    ----------
    wiring
        The worker's parts.
    """

    def __init__(self, wiring: Wiring):
        super().__init__(wiring.app)
        self.wiring = wiring


class Resource(View):
    """A view with the parts of the worker that it answers from. Faust makes one instance for each route.

    Parameters
    ----------
    app
        The Faust app.
    web
        The web server that has the route.
    """

    def __init__(self, app: LearningApp, web: WiredWeb):
        super().__init__(app, web)
        self.wiring = web.wiring
        self.serving = web.wiring.serving

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        """Answer a request. Faust's own method also counts and times each request, which costs a tenth of a prediction."""
        answer: web.StreamResponse = await self.methods[request.method.lower()](request, **request.match_info)
        return answer

    def get_methods(self) -> set[str]:
        """Return the methods that have a contract, and HEAD if GET has one."""
        methods = {name.upper() for name in METHODS if hasattr(self.methods[name], "contract")}
        return methods | ({"HEAD"} if "GET" in methods else set())

    @staticmethod
    def answer(value: object, status: int = 200) -> web.Response:
        """Make a response with a value as JSON."""
        return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
