"""Scores many predictions at once, as a scoreboard scores one after the other."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from headrace.learning.metrics import Scoreboard
from headrace.learning.metrics.tallies import Confusion, Errors, Probabilities
from headrace.learning.metrics.tallies.probabilities import EDGES, LEAST, MOST, UNIT
from headrace.learning.task import Label

_EDGES = np.array(EDGES)

SUMS = ("count", "absolute", "squared", "under", "label", "spread", "residual")


def score_many(
    loops: Any, board: Scoreboard, labels: Sequence[Label], values: Sequence[Label], shares: Sequence[float | None]
) -> None:
    """Score the predictions of an arm's model against their labels.

    Parameters
    ----------
    loops
        The compiled loops.
    board
        The scoreboard of the arm.
    labels, values, shares
        The labels, the predicted labels, and the probabilities of true, between 0 and 1; None where there are none.
    """
    board.scored += len(labels)
    for tally in board.tallies.values():
        if type(tally) is Confusion:
            for (label, value), count in Counter(zip(labels, values, strict=True)).items():
                tally.count(label, value, count)
        elif type(tally) is Probabilities:
            _score_shares(loops, tally, labels, shares)
        elif type(tally) is Errors:
            _score_numbers(loops, tally, labels, values)
        else:
            tally.update_many(zip(labels, values, shares, strict=True))
    board.window.extend(zip(labels, values, shares, strict=True))


def _score_shares(loops: Any, tally: Probabilities, labels: Sequence[Label], shares: Sequence[float | None]) -> None:
    given, cells = np.array(shares, np.float64), np.empty(len(shares), np.int64)
    losses = np.array([tally.count, tally.log, tally.squared])
    loops.score_shares(given, np.array(labels, np.float64), _EDGES, LEAST, MOST, losses, cells)
    tally.count += len(shares)
    tally.log, tally.squared = losses[1:].tolist()
    positives, negatives, sums = tally.positives, tally.negatives, tally.sums
    for cell, label, units in zip(cells.tolist(), labels, (given * UNIT).astype(np.int64).tolist(), strict=True):
        sums[cell] += units
        (positives if label else negatives)[cell] += 1


def _score_numbers(loops: Any, tally: Errors, labels: Sequence[Label], values: Sequence[Label]) -> None:
    sums = np.array([getattr(tally, name) for name in SUMS], np.float64)
    loops.score_numbers(np.array(values, np.float64), np.array(labels, np.float64), loops.TWO, sums)
    tally.count += len(labels)
    for name, value in zip(SUMS[1:], sums[1:].tolist(), strict=True):
        setattr(tally, name, value)
