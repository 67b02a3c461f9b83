"""A TCP proxy before a broker, whose connections can be cut, held, slowed, reset at random or left half open.

Kafka must advertise the proxy's address (`advertised.listeners`), or its clients go around it.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Literal

Mode = Literal["pass", "cut", "hold", "slow", "flaky"]
"""`cut` resets all connections and takes no new ones. `hold` lets nothing through, and goes on with it later, as a network that drops
packets does. `slow` delays each piece. `flaky` resets a connection now and then."""

PIECE = 64 * 1024

SLOW_SECONDS = 0.15
"""What `slow` adds to each piece, each way: a Kafka request takes 0.3 s longer."""

FLAKY = 0.02
"""The share of pieces at which `flaky` resets the connection."""


class Link:
    """One connection of a client, and the one to the broker that stands for it."""

    def __init__(self, client: asyncio.StreamWriter, broker: asyncio.StreamWriter):
        self.client, self.broker = client, broker
        self.forgotten = False

    def reset(self) -> None:
        """End both with a reset, at once."""
        for writer in (self.client, self.broker):
            reset(writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset: what was not sent is thrown away."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


class Proxy:
    """Forwards `127.0.0.1:port` to another port, in a thread of its own.

    Parameters
    ----------
    port, to
        Where it listens, and the broker's port; both on loopback.
    seed
        For `flaky`.
    """

    def __init__(self, port: int, to: int, seed: int = 0):
        self.port, self.to, self.dice = port, to, random.Random(seed)
        self.mode: Mode = "pass"
        self.links: set[Link] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> "Proxy":
        """Listen."""
        self._thread.start()
        self._passing.set()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=512))
        return self

    def stop(self) -> None:
        """Listen no more, and end all connections: nothing of them is left for the garbage collector to complain about."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, mode: Mode) -> None:
        """Treat all connections like this from now on."""
        self._call(self._set(mode))

    def forget(self) -> int:
        """Leave the connections that there are half open: nobody is told, and nothing comes of what is sent. How many there were.

        That is what a firewall does when it loses its state, or a peer that loses its power. New connections work.
        """
        return self._call(self._forget())

    def _call(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _set(self, mode: Mode) -> None:
        self.mode = mode
        if mode == "hold":
            self._passing.clear()
        else:
            self._passing.set()
        if mode == "cut":
            for link in list(self.links):
                link.reset()

    async def _end(self) -> None:
        self._server.close()
        await self._set("cut")
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _forget(self) -> int:
        for link in self.links:
            link.forgotten = True
        return len(self.links)

    def _accept(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(from_client, to_client))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        await self._passing.wait()
        try:
            if self.mode == "cut":
                raise ConnectionError
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            reset(to_client)
            return
        link = Link(to_client, to_broker)
        self.links.add(link)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(link, from_client, to_broker))
                both.create_task(self._pump(link, from_broker, to_client))
        except* OSError:
            pass
        finally:
            self.links.discard(link)
            link.reset()

    async def _pump(self, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(PIECE):
                await self._passing.wait()
                if self.mode == "slow":
                    await asyncio.sleep(SLOW_SECONDS)
                elif self.mode == "flaky" and self.dice.random() < FLAKY:
                    raise ConnectionError
                if not link.forgotten:
                    sink.write(piece)
                    await sink.drain()
            raise ConnectionError
        except OSError:
            if not link.forgotten or sink is link.broker:
                raise  # both ends are closed; of a half-open connection the client never learns that the broker has gone
