"""The refusal log: counts refused records by code, and writes a line of each code to the worker's log, once a minute at most."""

import time
from collections import Counter
from collections.abc import Callable

import structlog

from headrace.learning.codes import RefusalCode

log = structlog.get_logger()

LINE_SECONDS = 61.0
"""The seconds between two lines of one code. A second more than the log holds repeats of any cause back, so that none is lost there."""

REASON_MAX = 300


class RefusalLog:
    """Counts the refused records of one task on one worker, from the start of the worker on.

    Parameters
    ----------
    task
        The name of the task.
    clock
        Returns seconds that never go back.
    wall
        Returns seconds since the epoch.

    Attributes
    ----------
    since
        When the counting began, in seconds since the epoch.
    counts
        Refused records by code.

    Examples
    --------
    >>> import structlog.testing
    >>> refusals = RefusalLog("ads", wall=lambda: 1767225600.0)
    >>> with structlog.testing.capture_logs() as lines:
    ...     for number in range(3):
    ...         refusals.note("label", "label 'maybe' is not one of true, false.", f"ads/0/{number}/0/0")
    >>> len(lines), lines[0]["reason"]
    (1, "label 'maybe' is not one of true, false.")
    >>> refusals.counts
    Counter({'label': 3})
    """

    def __init__(self, task: str, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time):
        self.task, self.clock, self.since = task, clock, wall()
        self.counts: Counter[str] = Counter()
        self._logged: dict[str, tuple[float, int]] = {}

    def note(self, code: RefusalCode, reason: str, place: str) -> None:
        """Count a record that was refused for a reason; `place` is the id of its effect."""
        count = self.counts[code] = self.counts[code] + 1
        at, before = self._logged.get(code, (float("-inf"), 0))
        now = self.clock()
        if now - at < LINE_SECONDS:
            return
        self._logged[code] = now, count
        shown = reason if reason.isprintable() else ascii(reason)[1:-1]  # it may quote what a terminal would obey
        log.warning(
            "records are refused",
            task=self.task,
            code=code,
            records=count - before,
            reason=shown[:REASON_MAX],
            record=place,
            see=f"headrace quarantine {self.task} --reason {code}",
        )
