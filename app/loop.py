"""The event loop of a worker: uvloop's loop, with a short wait for the other end of a closed TLS connection."""

import asyncio
from typing import Any

import uvloop

GOODBYE_SECONDS = 0.1
"""How long a closed TLS connection waits for the other end to close it too. All requests have been answered by then.

uvloop waits 30 s each time that an answer is still on its way when a connection is closed (uvloop issue 471). So a consumer that had
read a changelog delayed the opening of its shard, and a Kafka client delayed the end of its worker."""


class Loop(uvloop.Loop):
    """uvloop's loop with GOODBYE_SECONDS as the default for TLS connections."""

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        """Open a connection as asyncio does. A closed TLS connection waits for GOODBYE_SECONDS unless the caller gives another time."""
        if options.get("ssl"):
            options.setdefault("ssl_shutdown_timeout", GOODBYE_SECONDS)
        return await super().create_connection(*args, **options)


class LoopPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes a `Loop` in every thread that asks for an event loop."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Make a loop."""
        return Loop()
