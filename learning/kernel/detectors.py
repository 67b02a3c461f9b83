"""Drift detectors for the kernel: the detectors of an arm's error see the errors of many rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace.learning.drift import Evidence
from headrace.learning.signals import Notice
from headrace.learning.watch import Watch


def show_errors(loops: Any, watches: Sequence[Watch], arm: str, errors: Sequence[float]) -> tuple[int, list[Notice]]:
    """Show errors to the detectors of an arm until something is noticed; return up to which error, and what.

    For detectors of evidence the loops compute up to which error nothing but sums change. Up to there, one other detector at most sees the errors one
    by one. All other errors are shown to all detectors in their order, as `Arm.score` does.

    Parameters
    ----------
    loops
        The compiled loops.
    watches, arm
        The detectors, and the name of their arm.
    errors
        The errors.
    """
    weighing = [watch.detector for watch in watches if isinstance(watch.detector, Evidence)]
    others = [watch for watch in watches if not isinstance(watch.detector, Evidence)]
    array, at = np.array(errors, np.float64), 0
    while at < len(errors):
        quiet = array[at:] if len(others) < 2 else array[:0]
        for detector in weighing:
            quiet = quiet[: _weigh(loops, detector, quiet)[0]]
        if len(quiet):
            count, notice = len(quiet), None
            for watch in others:
                count, notice = watch.update_many(errors[at : at + count], arm)
            for detector in weighing:
                _take(loops, detector, quiet[:count])
            at += count
            if notice is not None:
                return at, [notice]
        else:
            found = [notice for watch in watches if (notice := watch.update(errors[at], arm)) is not None]
            at += 1
            if found:
                return at, found
    return at, []


def _weigh(loops: Any, detector: Evidence, errors: npt.NDArray[np.float64]) -> tuple[int, list[float]]:
    """Return for how many errors nothing but the sums of a detector change, and the sums after them; the detector stays as it is."""
    tester = detector._evidence
    sums = np.array(
        [detector._total, *tester._evidence, tester.statistic, tester.count, tester._total, tester._product,
         tester._begun_at, tester._total_before]
    )  # fmt: skip
    if not detector._scale or tester._alarmed:
        return 0, sums.tolist()
    limit = tester.threshold if detector._has_warned else min(detector._suspicious, tester.threshold)
    count = loops.weigh_rows(
        errors, detector._scale, detector._is_testing, tester.mean, tester._bet, limit, detector._left, sums
    )
    return count, sums.tolist()


def _take(loops: Any, detector: Evidence, errors: npt.NDArray[np.float64]) -> None:
    """Let a detector see errors at which nothing but its sums change."""
    tester = detector._evidence
    count, sums = _weigh(loops, detector, errors)
    detector._left -= count
    detector._total, a, b, c, d, tester.statistic, seen, tester._total, tester._product, begun_at, before = sums
    tester._evidence, tester._total_before = (a, b, c, d), before
    tester.count, tester._begun_at = int(seen), int(begun_at)
