"""Connections of clients: limits the time for the head of a request, and answers bytes that are no HTTP request with a problem document.

aiohttp itself answers requests that its parser refuses, in plain text, and waits for the head of a request as long as a connection may be
idle. No option changes either, so the classes here replace those of aiohttp and Faust.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from faust import App
from faust.web.drivers import aiohttp as faust_aiohttp

from headrace.app.errors import Problem
from headrace.learning.plain import plain_failure

HEAD_SECONDS = 10.0
"""How long the request line and the headers may take to arrive: the default of `worker.body_seconds`."""

LINE_MAX = 8190
"""The largest size of the request line, and of each header, in bytes."""

HEADERS_MAX = 128


class SlowHeadError(HttpProcessingError):
    """The head of a request did not arrive in time."""

    code = 408


class Connection(RequestHandler):
    """A connection of a client, with a time limit for the head of each request.

    The time begins with the first byte of the head; for the first request, with the connection. So a connection that was used and is idle
    is kept as long as aiohttp keeps it, and a new connection that sends nothing is closed.

    Parameters
    ----------
    server
        The server that accepted the connection.
    head_seconds
        How long the head of a request may take.
    """

    __slots__ = ("_body", "_has_begun", "_head_count", "_head_seconds", "_head_timer")

    def __init__(self, server: web.Server, head_seconds: float, **options: Any):
        super().__init__(server, **options)
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_count = 0
        self._has_begun = False
        self._body: StreamReader = EMPTY_PAYLOAD

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the time limit for the first head."""
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the time limit."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive bytes: the rest of a head, a body, or the beginning of the next head."""
        count = self._request_count
        super().data_received(data)
        if self._request_count != count:
            self._end_head()
            message, payload = self._messages[-1]
            if (
                isinstance(message, _ErrInfo) and not self._body.is_eof()
            ):  # otherwise a view would wait for this body for ever
                self._body.set_exception(RequestPayloadError(_first_line(message.exc)))
            self._body = payload
        elif self._body.is_eof() and not self._upgraded and data.strip(b"\r\n"):
            self._has_begun = True
            if self._head_timer is None:
                self._begin_head()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that the parser refused with a problem document, and close the connection."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        response = problem_of(exc).response()
        response.force_close()
        return response

    def _begin_head(self) -> None:
        self._head_count = self._request_count
        self._head_timer = self._loop.call_later(self._head_seconds, self._give_up)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        self._has_begun = False

    def _give_up(self) -> None:
        """Refuse a head that is late, after the answers to earlier requests; close the connection of a client that has sent nothing."""
        self._head_timer = None
        if self._close or self._force_close or self._request_count != self._head_count:
            return
        if not self._has_begun:
            self.force_close()
            return
        late = SlowHeadError(message=f"not whole after {self._head_seconds:g} s")
        self._request_count += 1
        self._messages.append((_ErrInfo(late.code, late, late.message), EMPTY_PAYLOAD))
        self._close = True  # further bytes are ignored
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Server(web.Server):
    """Makes a `Connection`, or one of another kind, for each connection that is accepted."""

    def __init__(self, plain: web.Server, head_seconds: float, make: Callable[..., Connection] = Connection):
        super().__init__(plain.request_handler, request_factory=plain.request_factory)
        self._head_seconds, self._make = head_seconds, make

    def __call__(self) -> Connection:
        """Make a connection."""
        # app/encodings.py unpacks bodies: aiohttp would accept a gzip body that is cut short.
        return self._make(
            self,
            self._head_seconds,
            loop=self._loop,
            access_log=None,
            auto_decompress=False,
            max_line_size=LINE_MAX,
            max_field_size=LINE_MAX,
            max_headers=HEADERS_MAX,
        )


class Runner(web.AppRunner):
    """Runs an application behind a `Server`.

    Attributes
    ----------
    make
        Makes the connections.
    """

    def __init__(self, app: web.Application, head_seconds: float = HEAD_SECONDS):
        super().__init__(app)
        self.make: Callable[..., Connection] = Connection
        self._head_seconds = head_seconds

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), self._head_seconds, self.make)


class Web(faust_aiohttp.Web):
    """Faust's web server, with a `Runner`."""

    def __init__(self, app: App, **options: object):
        super().__init__(app, **options)
        self._runner: Runner = Runner(self.web_app)

    def make_connections(self, make: Callable[..., Connection]) -> None:
        """Make the connections of clients with another class than `Connection`, or with a function."""
        self._runner.make = make


def problem_of(error: HttpProcessingError) -> Problem:
    """Make the problem for bytes that are no HTTP request."""
    if isinstance(error, SlowHeadError):
        detail = f"the request line and the headers were {error.message}."
        return Problem(408, "slow_head", detail, "Send them faster.")
    if isinstance(error, LineTooLong):
        detail = f"the request line or a header has more than {LINE_MAX} bytes."
        return Problem(431, "head_too_large", detail, "Send shorter ones.")
    if error.message == "Too many headers received":
        return Problem(431, "head_too_large", f"there are more than {HEADERS_MAX} headers.", "Send fewer.")
    return Problem(400, "no_request", f"this is no HTTP request: {_first_line(error)}.", "Send HTTP/1.1.")


def _first_line(error: BaseException) -> str:
    """Return the reason of an error without the quoted bytes of the request after it."""
    text = error.message if isinstance(error, HttpProcessingError) else plain_failure(error)
    return text.strip().split("\n")[0].rstrip(".:")[:200]
