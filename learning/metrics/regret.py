"""Regret: what it costs that the champion answers and not the best arm."""

from collections.abc import Mapping

import msgspec

from headrace.learning.metrics import MAIN
from headrace.learning.metrics.overall import Overall
from headrace.learning.prediction import number
from headrace.learning.task import CHAMPION, Json, Kind, Label

SAME = 0.99
"""Arms are compared over all of the log if this share of their scored predictions can be of the same records: one may have been cold longer."""


class Regret(msgspec.Struct, frozen=True):
    """How much worse the champion has answered than the arm that has answered best, on the same records.

    Parameters
    ----------
    metric
        What is compared: `accuracy`, or `mae` for a regression.
    best, all
        The best arm over all scored predictions, among those that have within one per cent as many as the champion, and the difference to it, 0
        or more.
    best_recent, window
        The same over the moving windows, record by record: arms that have not been scored on the champion's last records are left out.
    """

    metric: str
    best: str
    all: float
    best_recent: str
    window: float


def regret(kind: Kind, arms: Mapping[str, Overall], metrics: Mapping[str, Mapping[str, Json]]) -> Regret | None:
    """Compute the regret of the champion from the scores and the figures of all arms; None before its first score.

    Examples
    --------
    >>> from headrace.learning.metrics import Scoreboard
    >>> from headrace.learning.prediction import Prediction
    >>> arms = {}
    >>> for name, answer in [("champion", True), ("tree", False)]:
    ...     board = Scoreboard("binary")
    ...     for label in (True, False, False, False):
    ...         board.update(label, Prediction(answer))
    ...     arms[name] = Overall("binary")
    ...     arms[name].add(board)
    >>> regret("binary", arms, {name: arm.values() for name, arm in arms.items()})
    Regret(metric='accuracy', best='tree', all=0.5, best_recent='tree', window=0.5)
    """
    if kind == "anomaly":  # there is no error to count
        return None
    name, champion = MAIN[kind], arms[CHAMPION]
    all_: dict[str, float] = {CHAMPION: 0.0}
    recent = dict(all_)
    for arm, one in arms.items():
        ours, theirs = metrics[CHAMPION].get(name), metrics[arm].get(name)
        if (
            ours is not None
            and theirs is not None
            and min(one.scored, champion.scored) >= SAME * max(one.scored, champion.scored)
        ):
            all_[arm] = theirs - ours if kind == "regression" else ours - theirs
        if (less := _recent(kind, champion, one)) is not None:
            recent[arm] = less
    if not champion.scored:
        return None
    best, best_recent = (min(found, key=lambda arm: (found[arm], arm != CHAMPION)) for found in (all_, recent))
    return Regret(name, best, _above(all_[best]), best_recent, _above(recent[best_recent]))


def _above(less: float) -> float:
    return round(-less, 12) if less < 0.0 else 0.0


def _recent(kind: Kind, champion: Overall, other: Overall) -> float | None:
    """Return by how much the mean error of an arm is above the champion's, over the last records of both; None if their labels show that these are not the same."""
    if len(champion.windows) != len(other.windows):
        return None
    difference, count = 0.0, 0
    for ours, theirs in zip(champion.windows, other.windows, strict=True):
        together = min(len(ours), len(theirs))
        if together < SAME * len(ours) - 1:
            return None
        for (label, value, _), (same, answer, _) in zip(
            ours[len(ours) - together :], theirs[len(theirs) - together :], strict=True
        ):
            if label != same:
                return None
            difference += _error(kind, label, answer) - _error(kind, label, value)
        count += together
    return difference / count if count else None


def _error(kind: Kind, label: Label, value: Label) -> float:
    return abs(number(label) - number(value)) if kind == "regression" else float(label != value)
