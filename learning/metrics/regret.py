"""Regret: what it costs that the champion answers and not the best arm."""

from collections.abc import Mapping

import msgspec

from headrace.learning.task import Json, Kind


class Regret(msgspec.Struct, frozen=True):
    """How much worse the champion has answered than the arm that has answered best.

    Parameters
    ----------
    metric
        What is compared: `accuracy`, or `mae` for a regression.
    best, all
        The best arm over all scored predictions, among those that have as many as the champion, and the difference to it, 0 or more.
    best_recent, window
        The same over the moving windows, among all arms.
    """

    metric: str
    best: str
    all: float
    best_recent: str
    window: float


def regret(
    kind: Kind, champion: str, scored: Mapping[str, int], metrics: Mapping[str, Mapping[str, Json]]
) -> Regret | None:
    """Compute the regret of the champion from the figures of all arms; None before its first score.

    Examples
    --------
    >>> figures = {name: {"accuracy": all, "window": {"accuracy": recent}} for name, all, recent in [("champion", 0.9, 0.7), ("tree", 0.8, 0.75)]}
    >>> regret("binary", "champion", {"champion": 10, "tree": 10}, figures)
    Regret(metric='accuracy', best='champion', all=0.0, best_recent='tree', window=0.05)
    """
    name = "mae" if kind == "regression" else "accuracy"
    sign = 1 if kind == "regression" else -1  # the smaller, the better
    all_ = {arm: one.get(name) for arm, one in metrics.items() if scored[arm] >= scored[champion]}
    recent = {arm: one["window"].get(name) for arm, one in metrics.items()}
    found: list[tuple[str, float]] = []
    for figures in (all_, recent):
        known = {arm: sign * figure for arm, figure in figures.items() if figure is not None}
        if champion not in known:
            return None
        best = min(known, key=lambda arm: (known[arm], arm != champion))
        found.append((best, round(known[champion] - known[best], 12)))
    return Regret(name, *found[0], *found[1])
