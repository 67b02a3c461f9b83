"""Runs a load against a worker, at a rate (an open loop) or as fast as its connections are answered (a closed loop).

In an open loop a latency is counted from the time at which the request was due, even if no connection was free then. A generator that
counts from the time of sending leaves out the wait of all requests that a slow answer holds up: "coordinated omission".
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from ssl import SSLContext
from time import perf_counter
from typing import NamedTuple

import msgspec

from headrace.app.load.connection import Connection
from headrace.app.load.latencies import Latencies
from headrace.app.load.requests import Request
from headrace.app.peers import Address

GRACE_SECONDS = 10.0
"""How long after the end answers are waited for. Requests that have none by then count as failed, with the time that they have waited."""

AGAIN_SECONDS = 0.1
"""The pause before a lost connection is made again."""

TICK_SECONDS = 0.05
"""How often it is looked at least whether something is due."""


class Due(NamedTuple):
    """A request, and when it was due; `is_waiting` if no connection was free then."""

    at: float
    request: Request


class Measured:
    """The figures of one sort of request: latencies, failures by code, and the first reason of each."""

    def __init__(self) -> None:
        self.latencies = Latencies()
        self.failed: Counter[str] = Counter()
        self.reasons: dict[str, str] = {}

    def fail(self, code: str, reason: str) -> None:
        """Count a failure."""
        self.failed[code] += 1
        self.reasons.setdefault(code, reason)


class Refusal(msgspec.Struct, frozen=True):
    """The parts that are read of a problem document."""

    code: str
    detail: str
    remedy: str


class Load:
    """A load: call `run` once, then read `measured` and `late`.

    Parameters
    ----------
    address
        The address of the worker.
    tls
        The context that checks the worker's certificate, if it has one.
    requests
        The requests, without end.
    rate
        Requests a second; None for a closed loop. The labels that follow questions come on top.
    connections
        The number of connections.
    warm_up, seconds
        How long the load runs before it is measured, and while it is.
    delay
        How many seconds after the answer to its question a label is due.
    clock
        Returns seconds that never go back.
    """

    def __init__(
        self,
        address: str,
        tls: SSLContext | None,
        requests: Iterator[Request],
        *,
        rate: float | None,
        connections: int,
        warm_up: float,
        seconds: float,
        delay: float = 1.0,
        clock: Callable[[], float] = perf_counter,
    ):
        self.address, self.tls, self.requests = Address.parse(address), tls, requests
        self.rate, self.connections, self.warm_up, self.seconds, self.delay = rate, connections, warm_up, seconds, delay
        self.clock = clock
        self.measured: dict[str, Measured] = {}
        self.late = Latencies()
        """How late the generator itself was: from the time at which a request was due until it was sent, if a connection was free."""
        self.backlog = 0
        """How many requests waited for a free connection at the end."""
        self._free: deque[Connection] = deque()
        self._waiting: deque[Due] = deque()
        self._labels: deque[Due] = deque()
        self._under_way: dict[Connection, Due] = {}
        self._all: set[Connection] = set()
        self._mending: set[asyncio.Task[None]] = set()
        self._from = self._until = 0.0
        self._is_over = False

    async def run(self) -> None:
        """Run the load to its end; OSError if the worker cannot be reached at the start."""
        for _ in range(self.connections):
            await self._connect()
        start = self.clock()
        self._from, self._until = start + self.warm_up, start + self.warm_up + self.seconds
        due, number = start, 0
        while (now := self.clock()) < self._until:
            if self.rate is None:
                self._take_labels(now)
                while self._free:
                    self._next_of_closed_loop(now)
                await asyncio.sleep(TICK_SECONDS)
                continue
            self._take_labels(now)
            while due <= now and due < self._until:
                self._dispatch(Due(due, next(self.requests)), now)
                number += 1
                due = start + number / self.rate
            soonest = min([due, now + TICK_SECONDS, *(label.at for label in list(self._labels)[:1])])
            await asyncio.sleep(max(0.0, soonest - self.clock()))
        self.backlog = len(self._waiting)
        await self._finish()

    def _next_of_closed_loop(self, now: float) -> None:
        """Use a free connection: for a label that is due, else for a new request."""
        if self._waiting:
            self._send(self._free.popleft(), self._waiting.popleft())
        else:
            self._send(self._free.popleft(), Due(now, next(self.requests)))

    def _take_labels(self, now: float) -> None:
        while self._labels and self._labels[0].at <= now:
            self._dispatch(self._labels.popleft(), now)

    def _dispatch(self, due: Due, now: float) -> None:
        if self._free:
            self.late.add(max(0.0, now - due.at))
            self._send(self._free.popleft(), due)
        else:
            self._waiting.append(due)

    def _send(self, connection: Connection, due: Due) -> None:
        self._under_way[connection] = due
        connection.send(due.request.data)

    def _answered(self, connection: Connection, status: int, body: bytes) -> None:
        due, now = self._under_way.pop(connection), self.clock()
        self._count(due, now, status, body)
        if due.request.label is not None and 200 <= status < 300:
            self._labels.append(Due(now + self.delay, Request("label", due.request.label)))
        if not connection.is_open:
            self._all.discard(connection)
            if not self._is_over:
                task = asyncio.ensure_future(self._reconnect())
                self._mending.add(task)
                task.add_done_callback(self._mending.discard)
            return
        self._free.append(connection)
        if self._waiting:
            self._send(self._free.popleft(), self._waiting.popleft())
        elif self.rate is None and now < self._until:
            self._take_labels(now)
            if self._free:
                self._next_of_closed_loop(now)

    def _count(self, due: Due, now: float, status: int, body: bytes) -> None:
        if not self._from <= due.at < self._until:
            return
        measured = self.measured.setdefault(due.request.name, Measured())
        measured.latencies.add(now - due.at)
        if status == 0:
            measured.fail("lost", body.decode(errors="replace"))
        elif not 200 <= status < 300:
            try:
                refusal = msgspec.json.decode(body, type=Refusal)
                measured.fail(refusal.code, f"{refusal.detail} {refusal.remedy}")
            except (msgspec.MsgspecError, ValueError):
                measured.fail(f"status {status}", "The answer is no problem document.")

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        host = self.address.host.strip("[]")
        _, connection = await loop.create_connection(
            lambda: Connection(self._answered), host, self.address.port, ssl=self.tls
        )
        self._all.add(connection)
        self._free.append(connection)

    async def _reconnect(self) -> None:
        while not self._is_over:
            await asyncio.sleep(AGAIN_SECONDS)
            with suppress(OSError):
                await self._connect()
                return

    async def _finish(self) -> None:
        """Wait for answers, and send the labels that are left: a question without its label would wait in the shard."""
        until = self.clock() + GRACE_SECONDS
        while self.clock() < until and (self._under_way or self._waiting or self._labels):
            while self._labels:
                self._dispatch(self._labels.popleft(), self.clock())
            while self._waiting and self._free:
                self._send(self._free.popleft(), self._waiting.popleft())
            await asyncio.sleep(TICK_SECONDS)
        self._is_over, now = True, self.clock()
        for due in [*self._waiting, *self._under_way.values()]:
            self._count(due, now, 0, b"There was no answer within %d s after the end." % GRACE_SECONDS)
        self._under_way.clear()
        for connection in self._all:
            connection.is_busy = False
            connection.close()
        for task in self._mending:
            task.cancel()
