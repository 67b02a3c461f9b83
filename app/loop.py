"""The event loop of a worker: uvloop's, that does not wait long for the goodbye of a TLS connection it has closed."""

import asyncio
from typing import Any

import uvloop

GOODBYE_SECONDS = 0.1
"""How long a closed TLS connection waits for the other end to close it too. All that was asked has been answered by then.

uvloop waits 30 s, and does so each time an answer is still on its way when a connection is closed (uvloop issue 471): a consumer that
had read a changelog held up the opening of its shard, and a Kafka client the end of its worker."""


class Loop(uvloop.Loop):
    """A loop of uvloop's."""

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        """As asyncio's, but for the time that a closed TLS connection waits unless told."""
        if options.get("ssl"):
            options.setdefault("ssl_shutdown_timeout", GOODBYE_SECONDS)
        return await super().create_connection(*args, **options)


class LoopPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes such loops, in every thread."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """A new loop."""
        return Loop()
