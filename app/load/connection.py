"""A connection of the load generator: sends a request that is bytes already, and reads as little of the answer as it needs.

A general HTTP client takes several times as long as a worker takes to answer, and would measure itself.
"""

import asyncio
from collections.abc import Callable
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"\r\ncontent-length:"
HEAD_MAX = 1 << 16

Answered = Callable[["Connection", int, bytes], None]


class Connection(asyncio.Protocol):
    """A connection with at most one request under way.

    Parameters
    ----------
    answered
        Called with the connection, the status and the body of each answer; with status 0 and the reason if the connection was lost instead.
    """

    def __init__(self, answered: Answered):
        self.answered = answered
        self.is_open = self.is_busy = False
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are none of asyncio's classes
        self._transport, self.is_open = cast("asyncio.WriteTransport", transport), True

    def send(self, request: bytes) -> None:
        """Send a request."""
        assert self._transport is not None
        self.is_busy = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read answers as they come."""
        self._buffer += data
        head_end = self._buffer.find(HEAD_END)
        if head_end < 0:
            if len(self._buffer) > HEAD_MAX:
                self._fail(b"an answer has no end of its head")
            return
        head = self._buffer[:head_end].lower()
        at = head.find(LENGTH)
        try:
            if at < 0:
                raise ValueError
            status, length = int(head[9:12]), int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0])
        except ValueError:
            self._fail(b"an answer is no HTTP with a Content-Length")
            return
        end = head_end + len(HEAD_END) + length
        if len(self._buffer) < end:
            return
        body, self._buffer = self._buffer[end - length : end], self._buffer[end:]
        if not self.is_busy:
            self._fail(b"an answer came without a request")
            return
        self.is_busy = False
        if b"\r\nconnection: close" in head:
            self.close()
        self.answered(self, status, body)

    def connection_lost(self, error: Exception | None) -> None:
        """Report a request that gets no answer."""
        self.is_open = False
        if self.is_busy:
            self.is_busy = False
            self.answered(self, 0, str(error or "the worker has closed the connection").encode())

    def close(self) -> None:
        """Close the connection."""
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def _fail(self, reason: bytes) -> None:
        self.close()
        if self.is_busy:
            self.is_busy = False
            self.answered(self, 0, reason)
