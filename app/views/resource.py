"""The base of the views."""

import msgspec
from aiohttp import web
from faust.web import View

from headrace.agents.learn import LearningApp
from headrace.app.connections import Web
from headrace.app.contract import METHODS
from headrace.app.wiring import Wiring


class WiredWeb(Web):
    """The web server of a worker, which gives its views the worker's parts.

    Parameters
    ----------
    wiring
        The worker's parts.
    """

    def __init__(self, wiring: Wiring):
        super().__init__(wiring.app)
        self.wiring = wiring


class Resource(View):
    """A view that knows what to answer from. Faust makes one of each when its route is added.

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
        """Answer a request. Faust's own way here counts and times each one, which costs a tenth of a prediction."""
        answer: web.StreamResponse = await self.methods[request.method.lower()](request, **request.match_info)
        return answer

    def get_methods(self) -> set[str]:
        """Return the methods that have a contract, and HEAD where GET has one."""
        methods = {name.upper() for name in METHODS if hasattr(self.methods[name], "contract")}
        return methods | ({"HEAD"} if "GET" in methods else set())

    @staticmethod
    def answer(value: object, status: int = 200) -> web.Response:
        """Make a JSON answer."""
        return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
