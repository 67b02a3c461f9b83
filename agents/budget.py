"""Limits the share of a worker's time that its snapshots may take."""

from collections.abc import Callable
from threading import Lock
from time import perf_counter, thread_time
from typing import TypeVar

Result = TypeVar("Result")

SHARE = 0.05
"""The share of a worker's time that snapshots may take. A state that takes long to save is saved less often."""


class Budget:
    """Keeps the snapshots of all shards of a worker within a share of its time.

    Parameters
    ----------
    share
        The share of the time, 0 to 1.
    clock
        Returns seconds that never go back.

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
        """Say whether a snapshot may be taken now."""
        return self.clock() >= self._free_at

    def spend(self, seconds: float) -> None:
        """Record the processor time that a snapshot took, in seconds."""
        with self._lock:
            self._free_at = max(self._free_at, self.clock()) + seconds / self.share

    def charge(self, work: Callable[[], Result]) -> Result:
        """Call `work`, in any thread, and record the processor time that it took.

        Wall time would include a pause of the whole process, and after a pause no snapshot would be taken for twenty times as long.
        """
        started = thread_time()
        try:
            return work()
        finally:
            self.spend(thread_time() - started)
