"""The doors: who comes in, how often, and how long a body may take. They stand before every view.

A caller shows a key. A worker that passes a question on shows a proof instead, and is admitted as its caller would be.
"""

import asyncio
import math
from collections.abc import Iterable
from functools import partial
from time import monotonic

import structlog
from aiohttp import web

from headrace.app.caller import CALLER, Caller
from headrace.app.contract import Contract, Operation
from headrace.app.errors import Handler, Problem, answer_problems
from headrace.app.keys import ROLES, Key, Keys
from headrace.app.peers import is_loopback
from headrace.app.proof import PROOF, SIGNATURE, Claims, ProofError, Proofs, digest_of_body, is_equal
from headrace.app.rate import Bucket
from headrace.app.refusals import Refusals
from headrace.app.settings import Settings
from headrace.learning.errors import SettingsError

log = structlog.get_logger()

KEY_HEADERS = ("Authorization", "X-API-Key")
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
    proofs
        Check what other workers pass on; None where the workers share no secret.
    """

    def __init__(
        self,
        keys: Keys,
        rate_limit: float | None,
        body_seconds: float,
        operations: Iterable[Operation],
        proofs: Proofs | None = None,
    ):
        self.keys, self.rate_limit, self.body_seconds, self.proofs = keys, rate_limit, body_seconds, proofs
        self._is_guarded = len(keys) > 0
        self._callers = {key.name: Caller(key.name, tuple(role for role in ROLES if role in key.roles)) for key in keys}
        self._rates: dict[str | None, float | None] = {key.name: key.rate for key in keys}
        self._operations = {(one.path, one.method.upper()): one.contract for one in operations}
        self._operations |= {
            (path, "HEAD"): said for (path, method), said in self._operations.items() if method == "GET"
        }
        self._buckets: dict[str, Bucket] = {}
        self._refusals = Refusals()

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through to its view, with its whole body: no view waits for a sender."""
        if PROOF in request.headers:
            return await self._admit_passed_on(request, handler)
        said = self._contract(request)
        if said is None or said.role is not None:
            key = await self._know(request) if self._is_guarded else None
            self._pace(key)
            if key is not None:
                authorise(said, key)
                request[CALLER] = self._callers[key.name]
            elif self.proofs is None:
                request[CALLER] = Caller.of_headers(request.headers)
        if said is not None and said.takes is not None and not request.content.is_eof():
            await self._read(request)
        return await handler(request)

    async def _admit_passed_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a question of another worker through, as its caller, and sign the answer, also where it is a refusal.

        What is no proof, or one for another worker, is refused without a signature. Every refusal of a proof waits for its turn as that
        of a key does, whether the worker has a group secret or not: a header that anybody can send buys no faster answers.
        """
        found, proofs = request.headers.getall(PROOF), self.proofs
        if len(found) != 1 or any(name in request.headers for name in KEY_HEADERS):
            raise await self._refuse_proof("there is more than one proof, or a key too")
        if proofs is None:
            raise await self._refuse_proof("this worker has no group secret")
        proof = found[0]
        try:
            claims = proofs.open(proof)
        except ProofError as error:
            raise await self._refuse_proof(str(error)) from None

        admitted = partial(self._admit_caller, handler=handler, proof=proof, claims=claims)
        response = await answer_problems(request, admitted)
        assert isinstance(response, web.Response)
        assert isinstance(response.body, bytes)
        response.headers[SIGNATURE] = proofs.sign(proof, response.status, response.body)
        return response

    async def _admit_caller(
        self, request: web.Request, handler: Handler, proof: str, claims: Claims
    ) -> web.StreamResponse:
        """Let the caller of whom a proof speaks through to the view."""
        assert self.proofs is not None
        try:
            self.proofs.accept(proof, claims, request.method, request.raw_path)
        except ProofError as error:
            raise await self._refuse_proof(str(error)) from None
        caller = claims.caller
        key = Key(caller.key or KEYLESS, frozenset(caller.roles), b"", self._rates.get(caller.key))
        if not caller.is_over_kafka:
            self._pace(key)
        if self._is_guarded:
            authorise(self._contract(request), key)
        await self._read(request)
        if not is_equal(digest_of_body(await request.read()), claims.body):
            raise await self._refuse_proof("the proof is for another body")
        request[CALLER] = caller
        return await handler(request)

    def _contract(self, request: web.Request) -> Contract | None:
        """What the view of a request does; None for what does not exist."""
        resource = request.match_info.route.resource
        return None if resource is None else self._operations.get((resource.canonical, request.method))

    async def _know(self, request: web.Request) -> Key:
        """The key that was shown; a Problem 401, at its turn, if there is none."""
        try:
            return self._identify(request)
        except Problem as problem:
            await self._wait(problem)
            raise

    async def _refuse_proof(self, why: str) -> Problem:
        """The refusal, at its turn, of what another worker, or somebody in its place, passes on.

        An operator must see it, since its caller has no part in it. What does not get a turn is not logged.
        """
        remedy = "Give all workers the same group secret, and clocks that agree."
        problem = Problem(401, "proof", f"{why}.", remedy, CHALLENGE)
        if await self._wait(problem):
            log.warning("a question that was passed on is refused", error=why)
        return problem

    async def _wait(self, refusal: Problem) -> bool:
        """Wait for the turn of a refusal; False, at once, if too many wait already. Then its connection is to be closed."""
        has_turn = await self._refusals.wait()
        if not has_turn:
            refusal.headers = {**refusal.headers, "Connection": "close"}
        return has_turn

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


def authorise(said: Contract | None, key: Key) -> None:
    """Refuse a key that may not do what a view does: a Problem 403."""
    if said is not None and said.role is not None and not key.may(said.role):
        who = "a caller without a key" if key.name == KEYLESS else f"the key '{key.name}'"
        detail = f"{who} may not do this: it takes the role '{said.role}'."
        raise Problem(403, "role", detail, "Use another key, or give this one the role.")


def doors_of(settings: Settings, operations: Iterable[Operation]) -> Doors:
    """The doors that the settings describe; SettingsError for a worker that all the world could command."""
    keys, worker = settings.keys(), settings.worker
    if not keys and not worker.insecure and not is_loopback(settings.web_host):
        raise SettingsError(
            f"{settings.path}: 'worker.web' is {worker.web}, where others can reach it, and there are no keys.",
            "Set worker.keys_file or HEADRACE_KEYS, or listen on 127.0.0.1; worker.insecure = true opens it to everyone.",
        )
    return Doors(keys, worker.rate_limit, worker.body_seconds, operations, settings.proofs())
