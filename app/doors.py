"""The doors: who comes in, how often, and how long a body may take. They stand before every view."""

import asyncio
import ipaddress
import math
from collections.abc import Iterable
from time import monotonic

from aiohttp import web

from app.contract import Operation
from app.errors import Handler, Problem
from app.keys import Key, Keys
from app.rate import Bucket
from app.settings import Settings
from learning.errors import SettingsError

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="headrace"'}
KEYLESS = ""
"""Names what shares one rate where there are no keys: all requests together."""


class Doors:
    """Admits requests to views, or refuses them with a Problem.

    A request for what does not exist needs a key too, so that nobody learns without one what there is. The role that a view asks for
    is found by its route, never by the text of the path.

    Parameters
    ----------
    keys
        Who may come in; without any, everyone may.
    rate_limit
        Requests a second of a key that has no rate of its own; None sets no limit.
    body_seconds
        How long a body may take to arrive.
    operations
        Every view's method.
    """

    def __init__(self, keys: Keys, rate_limit: float | None, body_seconds: float, operations: Iterable[Operation]):
        self.keys, self.rate_limit, self.body_seconds = keys, rate_limit, body_seconds
        self._is_guarded = len(keys) > 0
        self._operations = {(one.path, one.method.upper()): one.contract for one in operations}
        self._operations |= {
            (path, "HEAD"): said for (path, method), said in self._operations.items() if method == "GET"
        }
        self._buckets: dict[str, Bucket] = {}

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through to its view, with its whole body: no view waits for a sender."""
        resource = request.match_info.route.resource
        said = None if resource is None else self._operations.get((resource.canonical, request.method))
        if said is None or said.role is not None:
            key = self._identify(request) if self._is_guarded else None
            self._pace(key)
            if key is not None and said is not None and said.role is not None and not key.may(said.role):
                detail = f"the key '{key.name}' may not do this: it takes the role '{said.role}'."
                raise Problem(403, "role", detail, "Use another key, or give this one the role.")
        if said is not None and said.takes is not None and not request.content.is_eof():
            await self._read(request)
        return await handler(request)

    def _identify(self, request: web.Request) -> Key:
        """The key that was shown. What was shown is never told nor logged."""
        headers = request.headers
        shown = [*headers.getall("Authorization", ()), *headers.getall("X-API-Key", ())]
        remedy = "Send one key: 'Authorization: Bearer KEY', or 'X-API-Key: KEY'."
        if len(shown) != 1:
            what = "no key was sent." if not shown else f"{len(shown)} keys were sent."
            raise Problem(401, "no_key", what, remedy, CHALLENGE)
        secret = shown[0]
        if "X-API-Key" not in headers:
            scheme, _, secret = secret.partition(" ")
            if scheme.lower() != "bearer":
                raise Problem(401, "no_key", "the Authorization header is no bearer's.", remedy, CHALLENGE)
        key = self.keys.find(secret.strip())
        if key is None:
            raise Problem(401, "unknown_key", "the key is not known.", "Ask the operator for one.", CHALLENGE)
        return key

    def _pace(self, key: Key | None) -> None:
        """Count a request; a Problem 429 for one too many."""
        name, rate = (KEYLESS, self.rate_limit) if key is None else (key.name, key.rate or self.rate_limit)
        if rate is None:
            return
        now = monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(rate, now)
        if wait := bucket.take(now):
            after = str(math.ceil(wait))
            detail = f"more than {rate:g} requests a second."
            raise Problem(429, "rate", detail, f"Ask again in {after} s, or send batches.", {"Retry-After": after})

    async def _read(self, request: web.Request) -> None:
        """Wait for the rest of a body, which the request keeps."""
        try:
            async with asyncio.timeout(self.body_seconds):
                await request.read()
        except ConnectionResetError:
            raise Problem(400, "body", "the connection was lost amid the body.", "Send all of it.") from None
        except TimeoutError:
            detail = f"the body was not whole after {self.body_seconds:g} s."
            raise Problem(408, "slow_body", detail, "Send it faster, or less.", {"Connection": "close"}) from None


def doors_of(settings: Settings, operations: Iterable[Operation]) -> Doors:
    """The doors that the settings describe; SettingsError for a worker that all the world could command."""
    keys, worker = settings.keys(), settings.worker
    if not keys and not worker.insecure and not is_loopback(settings.web_host):
        raise SettingsError(
            f"{settings.path}: 'worker.web' is {worker.web}, where others can reach it, and there are no keys.",
            "Set worker.keys_file or HEADRACE_KEYS, or listen on 127.0.0.1; worker.insecure = true opens it to everyone.",
        )
    return Doors(keys, worker.rate_limit, worker.body_seconds, operations)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "0.0.0.0", "mill.example")]
    [True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
