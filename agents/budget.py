"""The budget: how much of a worker's time its snapshots may take."""

from collections.abc import Callable
from threading import Lock
from time import perf_counter, thread_time
from typing import TypeVar

Result = TypeVar("Result")

SHARE = 0.05
"""The part of a worker's time that taking snapshots may use; a dear state is saved more seldom."""


class Budget:
    """Keeps the snapshots of all shards of a worker within a share of its time.

    Parameters
    ----------
    share
        The part of the time, 0 to 1.
    clock
        Seconds that never go back.

    Examples
    --------
    >>> now = 0.0
    >>> budget = Budget(share=0.05, clock=lambda: now)
    >>> budget.spend(0.010)
    >>> budget.is_free()
    False
    >>> now = 0.2
    >>> budget.is_free()
    True
    """

    def __init__(self, share: float = SHARE, clock: Callable[[], float] = perf_counter):
        self.share = share
        self.clock = clock
        self._free_at = 0.0
        self._lock = Lock()

    def is_free(self) -> bool:
        """Whether a snapshot may be taken now."""
        return self.clock() >= self._free_at

    def spend(self, seconds: float) -> None:
        """Note what a snapshot has cost, in seconds of a processor."""
        with self._lock:
            self._free_at = max(self._free_at, self.clock()) + seconds / self.share

    def charge(self, work: Callable[[], Result]) -> Result:
        """Call `work`, in any thread, and note the processor time that it took.

        By a clock, a worker that is paused meanwhile would have spent all that time, and take no snapshot for twenty times as long.
        """
        started = thread_time()
        try:
            return work()
        finally:
            self.spend(thread_time() - started)
