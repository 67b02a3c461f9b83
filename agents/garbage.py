"""Keeps Python's cyclic garbage collector away from models: to scan one of 50 MB takes it seconds, in which nothing else runs.

A full collection scans every object, and runs whenever the number of objects has grown by a quarter. While a large state is written or read,
collections are off; afterwards all objects are frozen (`gc.freeze`), and later collections leave them out. Frozen objects are still freed by
their reference counts; only cycles stay. So when there are twice as many objects as were alive after the last full collection, one full
collection runs.
"""

import gc
from collections.abc import Callable
from threading import Lock
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

WORK_PER_COUNT = 16
"""The number of pieces of work after which the objects are counted: counting walks through all objects, too."""

ALIVE_MIN = 200_000
"""The least value of `alive`: fewer objects need no full collection."""


class CollectorPause:
    """Runs work on large states without garbage collections, and freezes all objects that exist after the work.

    Attributes
    ----------
    alive
        The number of objects that were alive after the last full collection.
    """

    def __init__(self) -> None:
        self.alive = ALIVE_MIN
        self._lock = Lock()
        self._running = 0
        self._done = 0

    def run(self, work: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Call `work`, in any thread, and return its result."""
        with self._lock:
            self._running += 1
            gc.disable()
        try:
            return work(*arguments, **options)
        finally:
            with self._lock:
                self._running -= 1
                self._done += 1
                gc.freeze()
                if self._done % WORK_PER_COUNT == 0 and gc.get_freeze_count() > 2 * self.alive:
                    self.collect()
                if not self._running:
                    gc.enable()

    def collect(self) -> None:
        """Run one full collection, which frees the cycles that nobody holds."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.alive = max(gc.get_freeze_count(), ALIVE_MIN)


collector_pause = CollectorPause()
"""The one instance of this process, since a process has one collector."""
