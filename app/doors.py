"""The doors: the checks before every view, of API keys, roles, rates, and the time that a body may take.

A caller shows an API key. A worker that forwards a question shows a proof instead, and gets the rights of the caller.
"""

import asyncio
import math
from collections.abc import Iterable
from functools import partial
from time import monotonic
from typing import NamedTuple

import structlog
from aiohttp import web
from multidict import CIMultiDictProxy

from headrace.app.caller import CALLER, Caller
from headrace.app.contract import Contract, Operation
from headrace.app.errors import Problem, answer_problems
from headrace.app.keys import ROLES, ApiKey, ApiKeys
from headrace.app.peers import is_loopback
from headrace.app.proof import PROOF, SIGNATURE, Claims, ProofError, Proofs, digest_of_body, is_equal
from headrace.app.rate import Bucket
from headrace.app.refusals import Refusals
from headrace.app.request_id import Handler
from headrace.app.settings import Settings
from headrace.learning.errors import SettingsError

log = structlog.get_logger()

Headers = CIMultiDictProxy[str]

KEY_HEADERS = ("Authorization", "X-API-Key")
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="headrace"'}
KEYLESS = ""
"""The name under which all requests share one rate if there are no keys."""


class Pass(NamedTuple):
    """What a request needs that is admitted without a wait: its caller, and the bucket to take a token from when it is used, if there is one."""

    caller: Caller
    bucket: Bucket | None

    def is_valid(self) -> bool:
        """Say whether a request would be admitted with this pass now, as far as its rate is concerned."""
        return self.bucket is None or self.bucket.has_token(monotonic())

    def use(self) -> None:
        """Count a request, for which the pass is valid."""
        if self.bucket is not None:
            self.bucket.take(monotonic())


class Doors:
    """Admits requests to views, or refuses them with a Problem.

    A request for an unknown route or task needs a key too, so that nobody can find out without a key what exists. The role that a view needs
    is looked up by its route, never by the text of the path.

    Parameters
    ----------
    keys
        The API keys that are admitted; if there are none, everyone is admitted.
    rate_limit
        The requests a second of a key that has no rate of its own; None sets no limit.
    body_seconds
        How long a body may take to arrive.
    operations
        The methods of all views, with their contracts.
    proofs
        Checks the questions that other workers forward; None if the workers share no secret.
    """

    def __init__(
        self,
        keys: ApiKeys,
        rate_limit: float | None,
        body_seconds: float,
        operations: Iterable[Operation],
        proofs: Proofs | None = None,
    ):
        self.keys, self.rate_limit, self.body_seconds, self.proofs = keys, rate_limit, body_seconds, proofs
        self.is_guarded = len(keys) > 0
        self._callers = {key.name: Caller(key.name, tuple(role for role in ROLES if role in key.roles)) for key in keys}
        self._rates: dict[str | None, float | None] = {key.name: key.rate for key in keys}
        self._operations = {(operation.path, operation.method.upper()): operation.contract for operation in operations}
        self._operations |= {
            (path, "HEAD"): contract for (path, method), contract in self._operations.items() if method == "GET"
        }
        self._buckets: dict[str, Bucket] = {}
        self._refusals = Refusals()

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Admit a request to its view when its whole body is there, so that no view waits for a sender."""
        if PROOF in request.headers:
            return await self._admit_forwarded(request, handler)
        contract = self._contract(request)
        if contract is None or contract.role is not None:
            key = await self._identify_or_refuse(request.headers) if self.is_guarded else None
            self._limit_rate(key)
            if key is not None:
                authorise(contract, key)
            if (caller := self._caller(key, request.headers)) is not None:
                request[CALLER] = caller
        if contract is not None and contract.takes is not None and not request.content.is_eof():
            await self._read(request)
        return await handler(request)

    def contract(self, route: str, method: str) -> Contract:
        """Return the contract of a method of a route; KeyError if there is none."""
        return self._operations[route, method]

    def find_pass(self, headers: Headers, contract: Contract) -> Pass | None:
        """Return a pass for a request that `admit` would admit at once; None if `admit` would refuse it or has to check a proof.

        Nothing is counted yet: whoever gives the request to its view uses the pass, and otherwise `admit` has the request as if it were new.
        """
        if PROOF in headers:
            return None
        key = None
        if self.is_guarded:
            try:
                key = self._identify(headers)
                authorise(contract, key)
            except Problem:
                return None
        found = Pass(self._caller(key, headers) or Caller(), self._bucket(key))
        return found if found.is_valid() else None

    async def _admit_forwarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Admit a question that another worker forwards, with the rights of its caller, and sign the answer, even if it is a refusal.

        An invalid proof, or a proof for another worker, is refused without a signature. Every refusal of a proof waits for its turn, like the
        refusal of a key, whether the worker has a group secret or not: a header that anyone can send must not get faster refusals.
        """
        shown, proofs = request.headers.getall(PROOF), self.proofs
        if len(shown) != 1 or any(name in request.headers for name in KEY_HEADERS):
            raise await self._refuse_proof("there is more than one proof, or a key too")
        if proofs is None:
            raise await self._refuse_proof("this worker has no group secret")
        proof = shown[0]
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
        """Admit the caller in the claims of a proof to the view."""
        assert self.proofs is not None
        try:
            self.proofs.accept(proof, claims, request.method, request.raw_path)
        except ProofError as error:
            raise await self._refuse_proof(str(error)) from None
        caller = claims.caller
        key = ApiKey(caller.key or KEYLESS, frozenset(caller.roles), b"", self._rates.get(caller.key))
        if not caller.is_over_kafka:
            self._limit_rate(key)
        if self.is_guarded:
            authorise(self._contract(request), key)
        await self._read(request)
        if not is_equal(digest_of_body(await request.read()), claims.body):
            raise await self._refuse_proof("the proof is for another body")
        request[CALLER] = caller
        return await handler(request)

    def _contract(self, request: web.Request) -> Contract | None:
        """Return the contract of a request's view; None if there is no such route, or no such method."""
        resource = request.match_info.route.resource
        return None if resource is None else self._operations.get((resource.canonical, request.method))

    def _caller(self, key: ApiKey | None, headers: Headers) -> Caller | None:
        """Return the caller with a key. Without keys, return the caller that the headers name; None if only a proof could name it."""
        if key is not None:
            return self._callers[key.name]
        return Caller.of_headers(headers) if self.proofs is None else None

    async def _identify_or_refuse(self, headers: Headers) -> ApiKey:
        """Return the key of a request; raise a Problem 401, when it has its turn, if there is none."""
        try:
            return self._identify(headers)
        except Problem as problem:
            await self._wait_for_turn(problem)
            raise

    async def _refuse_proof(self, why: str) -> Problem:
        """Wait for the turn of a refusal, and return the problem for a question with an invalid proof.

        The refusal is logged for the operator, since the caller cannot mend it. A refusal that gets no turn is not logged.
        """
        remedy = "Give all workers the same group secret, and clocks that agree."
        problem = Problem(401, "proof", f"{why}.", remedy, CHALLENGE)
        if await self._wait_for_turn(problem):
            log.warning("a question that was passed on is refused", error=why)
        return problem

    async def _wait_for_turn(self, refusal: Problem) -> bool:
        """Wait for the turn of a refusal, and return True. If too many wait already, return False at once, and close the connection after the answer."""
        has_turn = await self._refusals.wait()
        if not has_turn:
            refusal.headers = {**refusal.headers, "Connection": "close"}
        return has_turn

    def _identify(self, headers: Headers) -> ApiKey:
        """Return the key in the headers of a request; a Problem 401 if there is none. The text of the key is never shown nor logged."""
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

    def _limit_rate(self, key: ApiKey | None) -> None:
        """Count a request of a key; a Problem 429 if there are too many."""
        bucket = self._bucket(key)
        if bucket is not None and (wait := bucket.take(monotonic())):
            after = str(math.ceil(wait))
            detail = f"more than {bucket.rate:g} requests a second."
            raise Problem(429, "rate", detail, f"Ask again in {after} s, or send batches.", {"Retry-After": after})

    def _bucket(self, key: ApiKey | None) -> Bucket | None:
        """Return the bucket of a key, which is new at its first request; None if its rate has no limit."""
        name, rate = (KEYLESS, self.rate_limit) if key is None else (key.name, key.rate or self.rate_limit)
        if rate is None:
            return None
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(rate, monotonic())
        return bucket

    async def _read(self, request: web.Request) -> None:
        """Wait for the rest of a body, which the request stores."""
        try:
            async with asyncio.timeout(self.body_seconds):
                await request.read()
        except ConnectionResetError:
            raise Problem(400, "body", "the connection was lost amid the body.", "Send all of it.") from None
        except TimeoutError:
            detail = f"the body was not whole after {self.body_seconds:g} s."
            raise Problem(408, "slow_body", detail, "Send it faster, or less.", {"Connection": "close"}) from None


def authorise(contract: Contract | None, key: ApiKey) -> None:
    """Raise a Problem 403 if a key does not have the role of a contract."""
    if contract is not None and contract.role is not None and not key.may(contract.role):
        who = "a caller without a key" if key.name == KEYLESS else f"the key '{key.name}'"
        detail = f"{who} may not do this: it takes the role '{contract.role}'."
        raise Problem(403, "role", detail, "Use another key, or give this one the role.")


def doors_of(settings: Settings, operations: Iterable[Operation]) -> Doors:
    """Make the doors from the settings; SettingsError if anyone could command the worker over the network."""
    keys, worker = settings.keys(), settings.worker
    if not keys and not worker.insecure and not is_loopback(settings.web_host):
        raise SettingsError(
            f"{settings.path}: 'worker.web' is {worker.web}, where others can reach it, and there are no keys.",
            "Set worker.keys_file or HEADRACE_KEYS, or listen on 127.0.0.1; worker.insecure = true opens it to everyone.",
        )
    return Doors(keys, worker.rate_limit, worker.body_seconds, operations, settings.proofs())
