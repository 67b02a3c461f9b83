"""The budget: how much of a worker's time its snapshots may take."""

from collections.abc import Callable
from time import perf_counter

SHARE = 0.05
"""The part of the loop's time that taking snapshots may use; a dear state is saved more seldom."""


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

    def is_free(self) -> bool:
        """Whether a snapshot may be taken now."""
        return self.clock() >= self._free_at

    def spend(self, seconds: float) -> None:
        """Note what a snapshot has cost."""
        self._free_at = max(self._free_at, self.clock()) + seconds / self.share
