"""Slows down refusals: a caller that guesses keys or proofs waits for each answer, and a caller with a valid one never waits."""

import asyncio
import math
from collections.abc import Callable
from time import monotonic

import structlog

log = structlog.get_logger()

RATE = 50.0
"""The number of refusals a second of one worker."""

BURST = 50
"""The number of refusals that are sent at once after a pause: a caller with wrong settings should get the error soon."""

WAITING_MAX = 100
"""The largest number of refusals that wait at a time; the last of them waits for two seconds. Each holds a connection, and up to 128 KiB of an
unread body."""


class Refusals:
    """Lets refusals through one after the other, `RATE` a second.

    The rate is that of the whole worker. So many addresses do not help an attacker, and there is no table of addresses to fill. Only a refusal
    waits, after the key or the proof was checked: a valid one is admitted at once, whatever others do. If `WAITING_MAX` refusals wait, the
    next one does not wait, but its connection must be closed, so that each further guess needs a new one. A slower rate would make
    callers with a valid key wait. Keys and proofs cannot be guessed because they have 256 bits.

    Parameters
    ----------
    clock
        Returns seconds of a monotonic clock.

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
        """Wait for the turn of a refusal, and return True; False, at once, if too many refusals wait already."""
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
