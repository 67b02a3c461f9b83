"""A connection whose requests are answered in the lane where that is possible."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD

from headrace.app.connections import Connection
from headrace.app.lane.hot_routes import HotRoute
from headrace.app.lane.lane import Lane

HOLD_SECONDS = 0.05
"""How long to wait for the rest of a body. Many clients send the head and the body of a request in two pieces, one right after the other."""


class LaneConnection(Connection):
    """A connection that offers each request to the lane, if it is the only one and nothing of the connection is under way.

    aiohttp's own parser reads the bytes in both ways. It is fed while the task that answers requests the ordinary way sleeps. What the lane
    does not answer stays in the queue, and the task is woken: for the task the request has just come.

    The lane writes nothing while the client does not read: as soon as the transport has more to send than its high-water mark, requests go the
    ordinary way, which waits until the client has read, and stops reading requests meanwhile.

    Parameters
    ----------
    lane
        Answers requests.
    server, head_seconds, options
        As for `Connection`.
    """

    __slots__ = ("_held", "_hold_timer", "_lane")

    def __init__(self, lane: Lane, server: web.Server, head_seconds: float, **options: Any):
        super().__init__(server, head_seconds, **options)
        self._lane = lane
        self._held: HotRoute | None = None
        self._hold_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Receive bytes. If they complete a request that the lane answers, write the answer."""
        waiter = self._waiter
        is_idle = waiter is not None and not waiter.done() and (not self._messages or self._held is not None)
        if not is_idle:
            super().data_received(data)
            return
        self._waiter = None  # aiohttp puts the request into its queue, and wakes nobody
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if self._messages and not self._is_taken():
            self._release()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget a request whose body will not come."""
        self._end_hold()
        super().connection_lost(exc)

    def close(self) -> None:
        """Close the connection when the requests that have come are answered."""
        self._release()
        super().close()

    def _is_taken(self) -> bool:
        """Answer the request in the queue, or begin to wait for its body; False if it goes the ordinary way."""
        transport = self.transport
        is_paused = self._paused or self._reading_paused or self._buffer_paused
        if len(self._messages) > 1 or is_paused or self._close or transport is None or transport.is_closing():
            return False
        message, payload = self._messages[0]
        if not isinstance(message, RawRequestMessage) or payload is EMPTY_PAYLOAD:
            return False
        hot = self._held or self._lane.find_route(message)
        if hot is None:
            return False
        if not payload.is_eof():
            return self._held is not None or self._hold(hot, message)
        answer = self._lane.answer(hot, message, b"".join(payload._buffer))  # noqa: SLF001 it stays there for the ordinary way
        if answer is None:
            return False
        self._end_hold()
        self._note_answer()
        transport.write(answer)
        return True

    def _note_answer(self) -> None:
        """Do what aiohttp does for a request that its task has answered: take it out of the queue, count it, and begin the idle time."""
        self._messages.popleft()
        assert self._parser is not None
        assert self._manager is not None
        self._parser.message_consumed()
        self._manager.requests_count += 1
        self._begin_idle()

    def _begin_idle(self) -> None:
        self._next_keepalive_close_time = at = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(at, self._process_keepalive)

    def _hold(self, hot: HotRoute, message: RawRequestMessage) -> bool:
        """Begin to wait for the rest of a body, and return True; False if it is not waited for here."""
        if not self._lane.may_wait(hot, message):
            return False
        self._held = hot
        self._hold_timer = self._loop.call_later(HOLD_SECONDS, self._release)
        self._begin_idle()
        return True

    def _end_hold(self) -> None:
        self._held = None
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None

    def _release(self) -> None:
        """Give the requests in the queue, if there are any, to the task of the ordinary way."""
        self._end_hold()
        if self._messages and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
