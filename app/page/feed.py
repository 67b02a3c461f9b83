"""The live feed of a task: one event a second to every browser that listens, and nothing while none does."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from aiohttp import web

from headrace.app.errors import Problem

LISTENERS_MAX = 32
"""The most listeners of a worker. Each of them holds a connection."""

BEAT_SECONDS = 1.0

Tell = Callable[[], Awaitable[bytes]]
"""Reads what is told: the data of one event."""


class Feed:
    """Tells the same to all listeners of one task. It is read once for all of them, and a listener that is slow misses events.

    Parameters
    ----------
    tell
        Reads what is told.
    seconds
        The time between two events.
    """

    def __init__(self, tell: Tell, seconds: float = BEAT_SECONDS):
        self._tell, self._seconds = tell, seconds
        self._listeners = 0
        self._beating: asyncio.Task[None] | None = None
        self._next: asyncio.Future[bytes] | None = None

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is read, because nobody listens."""
        return self._beating is None

    async def listen(self) -> AsyncGenerator[bytes]:
        """Yield the data of one event at once, and then of one after the other."""
        self._listeners += 1
        try:
            yield await self._tell()
            while True:
                if self._beating is None:
                    self._next = asyncio.get_running_loop().create_future()
                    self._beating = asyncio.create_task(self._beat())
                assert self._next is not None
                yield await asyncio.shield(self._next)
        finally:
            self._listeners -= 1
            if not self._listeners and self._beating is not None:
                self._beating.cancel()
                self._beating = self._next = None

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._seconds)
            told, following = self._next, loop.create_future()
            assert told is not None
            try:
                data = await self._tell()
            except Exception as error:  # noqa: BLE001 it is raised to the listeners
                self._beating = None  # the next listener begins again
                told.set_exception(error)
                told.exception()  # it is raised to listeners, if there are any
                return
            self._next = following
            told.set_result(data)


class Feeds:
    """Sends the feeds of all tasks of a worker, to a limited number of listeners, until the web server stops."""

    def __init__(self, seconds: float = BEAT_SECONDS):
        self._seconds = seconds
        self._feeds: dict[str, Feed] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def send(self, request: web.Request, task: str, tell: Tell) -> web.StreamResponse:
        """Send server-sent events until the listener or the worker ends; Problem 503 if there are too many listeners."""
        if len(self._sending) >= LISTENERS_MAX:
            detail = f"{LISTENERS_MAX} browsers listen to this worker already."
            raise Problem(503, "listeners", detail, "Close one, or ask another worker.", {"Retry-After": "10"})
        feed = self._feeds.setdefault(task, Feed(tell, self._seconds))
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would collect events before it passes them on
            }
        )
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        sending = asyncio.create_task(_write(response, feed))
        self._sending.add(sending)
        try:
            await asyncio.wait([sending])
        finally:
            self._sending.discard(sending)
            sending.cancel()
        if not sending.cancelled() and (error := sending.exception()) and not isinstance(error, ConnectionError):
            raise error
        return response

    async def stop(self, _: web.Application) -> None:
        """End all feeds, when the web server stops."""
        for sending in self._sending:
            sending.cancel()


async def _write(response: web.StreamResponse, feed: Feed) -> None:
    async with aclosing(feed.listen()) as events:
        async for data in events:
            await response.write(b"data: %s\n\n" % data)
