"""How long a broker may hold the fetches of a consumer that has nothing to read."""

from typing import Any

from aiokafka.consumer.fetcher import Fetcher

BUSY_MS, IDLE_MS = 20, 200
"""How long a broker may hold a fetch while messages come, and at most when none have come for a while."""

BUSY_SECONDS = 1.0
"""How long after a message others are expected."""


class PacedFetcher(Fetcher):
    """Fetches with a short wait while messages come, and with a long one otherwise.

    aiokafka keeps one fetch a broker in flight. It has all partitions but those of which messages are still to be handed over, and these
    wait until the broker has answered it. So a consumer of several partitions, of which one is busy, must not wait long: with Faust's own
    1,500 ms it stalls for a second and more under load. Yet a consumer to which nothing comes would keep a core busy for a tenth of the
    time if it asked every 20 ms. Its one fetch in flight has all its partitions, so that a first message comes at once.

    A shorter `fetch_max_wait_ms` of a consumer counts. The module `corrections` makes all consumers use this class.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._idle_ms = min(self._fetch_max_wait_ms, IDLE_MS)
        self._fetch_max_wait_ms = min(self._idle_ms, BUSY_MS)
        self._idle_at = self._loop.time() + BUSY_SECONDS

    async def _proc_fetch_request(self, assignment: object, node_id: int, request: object) -> bool:
        has_messages = await super()._proc_fetch_request(assignment, node_id, request)
        now = self._loop.time()
        if has_messages:
            self._idle_at = now + BUSY_SECONDS
        self._fetch_max_wait_ms = min(self._idle_ms, BUSY_MS) if now < self._idle_at else self._idle_ms
        return has_messages
