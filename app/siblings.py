"""The other processes of `headrace worker --processes`: the port that a process shares with them, and whether all of them are ready."""

import asyncio
import threading
from collections.abc import Callable
from os import read
from ssl import SSLContext

import aiohttp
import msgspec
import structlog
from aiohttp import web

from headrace.app.errors import Problem
from headrace.app.peers import Address
from headrace.app.place import Place, own_settings
from headrace.app.problems import PROBLEMS, ProblemCode
from headrace.app.settings import Settings
from headrace.app.unreached import say_unreached

log = structlog.get_logger()

READY_SECONDS = 1.0
"""How long another process may take to say whether it is ready."""

WAIT_SECONDS = 60.0
"""How long a process that was started again waits until it is ready before it listens on the shared port all the same, to say what is wrong."""

CHECK_SECONDS = 0.1

EVERYWHERE = "0.0.0.0"  # noqa: S104 compared, not listened on


class Refusal(msgspec.Struct, frozen=True):
    """The parts that are read of another process's refusal."""

    code: str
    detail: str
    remedy: str


class Siblings:
    """The processes that share a port with this one.

    Parameters
    ----------
    shared
        The settings that all processes share.
    place
        The place of this process.
    """

    def __init__(self, shared: Settings, place: Place):
        self.place = place
        self.host, self.port = shared.web_host, shared.web_port
        self.addresses = {
            number: own_settings(shared, place._replace(number=number)).address for number in range(1, place.of + 1)
        }
        self._tls = shared.access().tls
        self._serves_tls: SSLContext | None = shared.worker.tls.context(shared.folder) if shared.worker.tls else None
        self._http: aiohttp.ClientSession | None = None

    def is_shared(self, request: web.Request) -> bool:
        """Say whether a request came over the shared port, where any process might have got it."""
        name = None if request.transport is None else request.transport.get_extra_info("sockname")
        return name is not None and name[1] == self.port

    async def listen(self, runner: web.AppRunner, is_ready: Callable[[], bool]) -> None:
        """Listen on the shared port too. A process that was started again waits until it is ready: the others answer meanwhile."""
        clock = asyncio.get_running_loop().time
        until = clock() + WAIT_SECONDS
        while runner.server is None or (self.place.is_again and not is_ready() and clock() < until):
            await asyncio.sleep(CHECK_SECONDS)
        site = web.TCPSite(runner, self.host, self.port, ssl_context=self._serves_tls, reuse_port=True)
        await site.start()
        log.debug("listening on the shared port", port=self.port)

    async def readiness(self, task: str | None) -> list[bytes]:
        """Return the answers of all other processes to `/readyz`; Problem 503 with the cause if one of them is not ready."""
        others = [number for number in self.addresses if number != self.place.number]
        return await asyncio.gather(*(self._ask(number, task) for number in others))

    async def stop(self) -> None:
        """Close the connections to the other processes."""
        if self._http is not None:
            await self._http.close()

    async def _ask(self, number: int, task: str | None) -> bytes:
        which = f"process {number} of {self.place.of}"
        host = "127.0.0.1" if self.host == EVERYWHERE else self.host
        scheme, name, _ = Address.parse(self.addresses[number])
        if self._http is None:
            connector = aiohttp.TCPConnector(ssl=self._tls or True)
            self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(READY_SECONDS))
        url = f"{scheme}://{host}:{self.port + number}/readyz"
        try:
            async with self._http.get(
                url,
                params={} if task is None else {"task": task},
                server_hostname=name if scheme == "https" else None,
                allow_redirects=False,
            ) as answer:
                status, body = answer.status, await answer.read()
            if status == 200:
                return body
            refusal = msgspec.json.decode(body, type=Refusal)
        except (aiohttp.ClientError, OSError, msgspec.MsgspecError, ValueError) as error:
            detail = f"{which} does not answer: {say_unreached(error)}."
            raise Problem(503, "process", detail, "Ask again in a second; the log of the worker says why.") from None
        known: list[ProblemCode] = [code for row, code in PROBLEMS if row == 503 and code == refusal.code]
        code: ProblemCode = known[0] if known else "process"
        raise Problem(503, code, f"{which}: {refusal.detail[:2000]}", refusal.remedy[:2000])


def end_with_parent(descriptor: int, end: Callable[[str], None]) -> None:
    """Call `end` when the parent process has ended: it holds the other end of a pipe, from which nothing else ever comes."""

    def wait() -> None:
        while read(descriptor, 1):
            pass
        end("the parent process has ended")

    threading.Thread(target=wait, name="parent", daemon=True).start()
