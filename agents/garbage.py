"""Keeps Python's collector of cyclic garbage away from models: to look through one of 50 MB takes it seconds, in which nothing else runs.

A full collection looks through every object there is, and comes whenever there are a quarter more. While a large state is written or read
none comes; afterwards all objects there are are set aside (`gc.freeze`), for collections to leave out. What becomes garbage among them is
freed by its reference counts, as ever; only what holds itself in a cycle stays. So when there are twice as many objects as had been found
alive, all are looked through once.
"""

import gc
from collections.abc import Callable
from threading import Lock
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

COUNTED_AGAIN = 16
"""After how many pieces of work the objects are counted: that walks through them too, though it does not look into them."""

LEAST = 200_000
"""Objects that are always few enough."""


class Aside:
    """Does work on large states without a full collection, and sets aside what there is after it.

    Attributes
    ----------
    alive
        Objects that were found alive when all were looked through.
    """

    def __init__(self) -> None:
        self.alive = LEAST
        self._lock = Lock()
        self._running = 0
        self._done = 0

    def run(self, work: Callable[Arguments, Result], *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Call `work`, in any thread."""
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
                if self._done % COUNTED_AGAIN == 0 and gc.get_freeze_count() > 2 * self.alive:
                    self.look_through()
                if not self._running:
                    gc.enable()

    def look_through(self) -> None:
        """Look through all objects, and free the cycles that nobody holds."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.alive = max(gc.get_freeze_count(), LEAST)


aside = Aside()
"""That of this process: there is one collector."""
