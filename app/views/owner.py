"""Asking the owner of a shard: over HTTP, with a time limit and a limit of hops."""

from collections.abc import Mapping
from ssl import SSLContext
from typing import Any, NamedTuple

import aiohttp
import msgspec
from aiohttp import web

from agents.members import Members
from app.access import passed_on
from app.errors import Problem
from learning.task import Task

HOPS = "Headrace-Hops"
HOPS_MAX = 2
"""How often a question is passed on: who owns a shard may change while it is on its way, and it must not go round for ever."""

AGAIN_HEADER = "Headrace-Again"
"""Says that a question may have been logged before, and is to be answered all the same."""

FORWARD_SECONDS = 2.0
"""How long the owner may take to answer, beside what the question itself lets it wait."""

AGAIN = {"Retry-After": "1"}


class Asked(NamedTuple):
    """How a question was asked.

    Parameters
    ----------
    fresh
        Whether only the owner may answer.
    hops
        How often it was passed on.
    shown
        The headers that show the caller's key, to pass on.
    again
        Whether a question may have been logged before, and is to be answered all the same. One that came over Kafka may: it is read
        again by whoever takes over from a worker that died. The fold takes the first.
    """

    fresh: bool = False
    hops: int = 0
    shown: Mapping[str, str] = {}
    again: bool = False

    @classmethod
    def of(cls, request: web.Request) -> "Asked":
        """How this request asks; a Problem 422 where `fresh` is neither true nor false."""
        fresh = request.query.get("fresh", "false") if request.rel_url.raw_query_string else "false"
        if fresh not in ("true", "false"):
            raise Problem(
                422, "fresh", f"fresh={fresh[:20]} is neither true nor false.", "Send ?fresh=true, or nothing."
            )
        hops = request.headers.get(HOPS, "0")
        counted = int(hops) if hops.isascii() and hops.isdigit() and len(hops) < 4 else HOPS_MAX
        return cls(fresh == "true", counted, passed_on(request), AGAIN_HEADER in request.headers)


class Owners:
    """Passes questions on to the workers that own their shards.

    Parameters
    ----------
    members
        Know who owns what.
    address
        Of this worker.
    tls
        How to check the certificates of the others, where they have them.
    """

    def __init__(self, members: Members, address: str, tls: SSLContext | None = None):
        self.members, self.address, self.tls = members, address, tls
        self._http: aiohttp.ClientSession | None = None

    async def ask(
        self, task: Task, partition: int, questions: list[Any], asked: Asked, seconds: float
    ) -> list[msgspec.Raw]:
        """The owner's answers to questions of one shard.

        Parameters
        ----------
        seconds
            How long the questions let it wait.

        Raises
        ------
        Problem
            The owner's own refusal; or 503 when there is none, it does not answer in time, or the questions came too far.
        """
        which = f"shard {partition} of task '{task.name}'"
        if asked.hops >= HOPS_MAX:
            detail = f"{which} is moving: asked {asked.hops} workers, and none of them owns it."
            raise Problem(503, "no_owner", detail, "Ask again in a second.", AGAIN)
        owner = await self.members.owner(task.events, partition)
        if owner is None or owner == self.address:
            raise Problem(503, "no_owner", f"{which} is being taken over.", "Ask again in a second.", AGAIN)
        headers = {HOPS: str(asked.hops + 1), "Content-Type": "application/json", **asked.shown}
        if asked.again:
            headers[AGAIN_HEADER] = "true"
        try:
            async with self._session().post(
                f"{owner}/v1/{task.name}/predict/batch",
                params={"fresh": "true"} if asked.fresh else None,
                data=msgspec.json.encode(questions),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds + FORWARD_SECONDS),
                allow_redirects=False,
            ) as answer:
                status, body = answer.status, await answer.read()
            if status == 200:
                answers = msgspec.json.decode(body, type=list[msgspec.Raw])
                if len(answers) == len(questions):
                    return answers
            told = msgspec.json.decode(body, type=Told)
        except (aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
            detail = f"the owner of {which}, {owner}, does not answer: {type(error).__name__}."
            remedy = "Ask again in a second, or without fresh=true for an answer that may be a little old."
            raise Problem(503, "owner_unreachable", detail, remedy, AGAIN) from None
        if status in (401, 403):  # a question that came over Kafka shows no key
            detail = f"the owner of {which}, {owner}, does not admit the question: {told.detail}"
            raise Problem(503, "owner_unreachable", detail, "Give all workers the same keys.", AGAIN)
        raise Problem(status, told.code, told.detail, told.remedy, AGAIN if status == 503 else None)

    async def stop(self) -> None:
        """Close the connections."""
        await self.members.stop()
        if self._http is not None:
            await self._http.close()

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls or True))
        return self._http


class Told(msgspec.Struct):
    """What is passed on of another worker's problem document."""

    code: str
    detail: str
    remedy: str = ""
