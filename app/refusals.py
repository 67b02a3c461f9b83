"""The pace of refusals: whoever guesses keys or proofs waits for each answer, and whoever has one waits for nothing."""

import asyncio
import math
from collections.abc import Callable
from time import monotonic

import structlog

log = structlog.get_logger()

RATE = 50.0
"""Refusals a second of one worker."""

BURST = 50
"""Refusals that are told at once after a pause: a caller with a mistake in its settings should learn of it soon."""

WAITING_MAX = 100
"""Refusals that wait at a time, for two seconds then. Each holds a connection, and up to 128 KiB of a body that nobody reads."""


class Refusals:
    """Tells refusals one after the other, `RATE` a second.

    The pace is that of the worker as a whole, so it cannot be got around with many addresses, and there is no table of addresses to fill.
    Only the refusal waits, after the key or the proof was checked: a right one is let in at once, whatever others do. Beyond `WAITING_MAX` a refusal
    does not wait, and its connection is to be closed, so that the next guess takes another one. That cannot be slower without
    making those wait who have a key; what keeps keys and proofs from being guessed is their 256 bits.

    Parameters
    ----------
    clock
        Seconds that never go back.

    Examples
    --------
    >>> refusals = Refusals()
    >>> asyncio.run(refusals.wait())
    True
    """

    def __init__(self, clock: Callable[[], float] = monotonic):
        self.clock = clock
        self.waiting = 0
        self._turn = -math.inf

    async def wait(self) -> bool:
        """Wait until it is this refusal's turn; False, at once, if too many wait already."""
        if self.waiting >= WAITING_MAX:
            return False
        now = self.clock()
        self._turn = max(self._turn, now - BURST / RATE) + 1 / RATE
        if self._turn > now:
            log.warning("many requests show no key, or a wrong key or proof: their refusals wait", waiting=self.waiting)
            self.waiting += 1
            try:
                await asyncio.sleep(self._turn - now)
            finally:
                self.waiting -= 1
        return True
