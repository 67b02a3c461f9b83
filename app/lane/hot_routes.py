"""The routes whose requests the lane may answer, and the form that a request must have for it."""

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp.http import HttpVersion11, RawRequestMessage

from headrace.app.contract import Contract
from headrace.app.doors import Doors
from headrace.app.serving.served_task import ServedTask

ONE, MANY = "/v1/{task}/predict", "/v1/{task}/predict/batch"

UNUSUAL = ("Content-Encoding", "Expect", "Origin", "Transfer-Encoding", "Upgrade")
"""Headers upon which the ordinary way does more than a view does: it unpacks, answers `100 Continue`, or follows the rules of CORS."""


class HotRoute(NamedTuple):
    """A route of one task.

    Parameters
    ----------
    route, path
        The route as it is declared, with `{task}`, and its path.
    served
        The task.
    contract
        The contract of the view.
    is_batch
        Whether the body is a list of questions.
    """

    route: str
    path: str
    served: ServedTask
    contract: Contract
    is_batch: bool


def hot_routes(tasks: Mapping[str, ServedTask], doors: Doors) -> dict[str, HotRoute]:
    """Return the routes by their paths. Only these very paths are hot: no other spelling, and none with a query."""
    routes = [
        HotRoute(route, route.replace("{task}", name), served, doors.contract(route, "POST"), route == MANY)
        for name, served in tasks.items()
        for route in (ONE, MANY)
    ]
    return {hot.path: hot for hot in routes}


def is_plain(message: RawRequestMessage) -> bool:
    """Say whether a parsed head asks for nothing but a view: HTTP/1.1, POST, kept open, a body of a known length, and no unusual header."""
    if message.method != "POST" or message.version != HttpVersion11:
        return False
    if message.should_close or message.upgrade or message.chunked:
        return False
    headers = message.headers
    return not any([name in headers for name in UNUSUAL])  # noqa: C419 a generator takes longer
