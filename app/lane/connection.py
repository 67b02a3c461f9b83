"""A connection whose requests are answered in the lane where that is possible."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from headrace.app.connections import Connection
from headrace.app.lane.known_heads import END, KnownHead
from headrace.app.lane.lane import BODY_MAX, Lane

HOLD_SECONDS = 0.05
"""How long to wait for the rest of a body. Many clients send the head and the body of a request in two pieces, one right after the other."""


class LaneConnection(Connection):
    """A connection that offers each request to the lane, if it is the only one and nothing of the connection is under way.

    aiohttp's own parser reads the bytes in both ways. It is fed while the task that answers requests the ordinary way sleeps. What the lane
    does not answer stays in the queue, and the task is woken: for the task the request has just come.

    Bytes that the parser has read before as one whole request need not be read again, if the parser stands between two requests: it would read
    the same. Only a parser that is new, or has read nothing but whole requests that came as one piece each, is sure to stand there.

    The lane writes nothing while the client does not read: as soon as the transport has more to send than its high-water mark, requests go the
    ordinary way, which waits until the client has read, and stops reading requests meanwhile.

    Parameters
    ----------
    lane
        Answers requests.
    server, head_seconds, options
        As for `Connection`.
    """

    __slots__ = ("_held", "_hold_timer", "_is_between", "_lane", "_missing")

    def __init__(self, lane: Lane, server: web.Server, head_seconds: float, **options: Any):
        super().__init__(server, head_seconds, **options)
        self._lane = lane
        self._held: KnownHead | None = None
        self._hold_timer: asyncio.TimerHandle | None = None
        self._is_between = True
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        """Receive bytes. If they complete a request that the lane answers, write the answer."""
        waiter = self._waiter
        if waiter is None or waiter.done() or (self._messages and self._held is None):
            count = self._request_count
            super().data_received(data)
            if data or self._request_count != count:  # aiohttp feeds no bytes where a view reads a body
                self._is_between = self._is_between and self._request_count == count + 1 and self._has_come_whole(data)
            return
        if self._is_between and self._held is None and not self._paused:
            answer = self._lane.answer_again(data)
            if answer is not None:
                self._request_count += 1
                self._end_head()
                self._write(answer)
                return
        self._waiter = None  # aiohttp puts the request into its queue, and wakes nobody
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if not self._messages:
            self._is_between = self._is_between and not data
        elif not self._is_taken(data):
            self._release()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget a request whose body will not come."""
        self._end_hold()
        super().connection_lost(exc)

    def close(self) -> None:
        """Close the connection when the requests that have come are answered."""
        self._release()
        super().close()

    def _is_taken(self, data: bytes) -> bool:
        """Answer the request in the queue, or go on to wait for its body; False if it goes the ordinary way."""
        message, payload = self._messages[0]
        if len(self._messages) > 1 or not isinstance(message, RawRequestMessage):
            self._is_between = False
            return False
        is_new = self._held is None
        if is_new:
            self._note_place(data, message)
        else:
            self._missing -= len(data)
        known = self._held or self._lane.read_head(message)
        if known is None or payload is EMPTY_PAYLOAD or self._paused or self._reading_paused or self._buffer_paused:
            self._is_between = self._is_between and payload.is_eof() and self._missing == 0
            return False
        if not payload.is_eof():
            return not is_new or self._hold(known)
        self._is_between = self._is_between and self._missing == 0
        return self._is_answered(known, data, message, payload)

    def _note_place(self, data: bytes, message: RawRequestMessage) -> None:
        """Note how many bytes are missing to the end of a new request, and whether the parser stood between two requests before it.

        If the parser had the beginning of another head, it has read the request line in `data` as a part of a header: it has found more headers
        than it did when it read the same bytes between two requests.
        """
        end = data.find(END) + len(END)
        length = message.headers.get("Content-Length", "0")
        self._missing = end + int(length) - len(data)
        if message.chunked or message.upgrade:
            self._is_between = False
        elif not self._is_between:
            known = self._lane.heads.find(data[:end])
            self._is_between = (
                known is not None and known.hot.path == message.path and known.lines == len(message.raw_headers)
            )

    def _has_come_whole(self, data: bytes) -> bool:
        """Say whether the last request in the queue is all that is in `data`, if the parser stood between two requests before it."""
        message, payload = self._messages[-1]
        if not isinstance(message, RawRequestMessage):
            return False
        self._note_place(data, message)
        return self._is_between and payload.is_eof() and self._missing == 0

    def _is_answered(self, known: KnownHead, data: bytes, message: RawRequestMessage, payload: StreamReader) -> bool:
        answer = self._lane.answer(known, b"".join(payload._buffer), message)  # noqa: SLF001 it stays there for the ordinary way
        if answer is None:
            return False
        if self._is_between and self._held is None:
            self._lane.heads.remember(data[: data.find(END) + len(END)], known, message)
        self._end_hold()
        self._messages.popleft()
        assert self._parser is not None
        self._parser.message_consumed()
        self._write(answer)
        return True

    def _write(self, answer: bytes) -> None:
        """Do what aiohttp does for a request that its task has answered: write, count it, and begin the idle time."""
        assert self._manager is not None
        assert self.transport is not None
        self._manager.requests_count += 1
        self._begin_idle()
        self.transport.write(answer)

    def _begin_idle(self) -> None:
        self._next_keepalive_close_time = at = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(at, self._process_keepalive)

    def _hold(self, known: KnownHead) -> bool:
        """Begin to wait for the rest of a body, and return True; False if it is not waited for here."""
        if known.length > BODY_MAX:
            return False
        self._held = known
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
        if self._held is not None:
            self._is_between = False
        self._end_hold()
        if self._messages and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
