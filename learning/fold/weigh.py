"""Weighs what a shard has found out so far: the evidence of detectors and guards against their thresholds, and the bounds of experiments."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import nlargest

from headrace.learning.drift import Weighing, Weight
from headrace.learning.effects import ExperimentMeasured, Weighed
from headrace.learning.experiments import Comparing
from headrace.learning.guards.below_baseline import BelowBaseline
from headrace.learning.guards.comparison import Comparison
from headrace.learning.guards.degraded import Degraded
from headrace.learning.guards.guard import Guard
from headrace.learning.state import State
from headrace.learning.task import CHAMPION
from headrace.learning.watch import Watch

FEATURES_MAX = 24
"""The features whose evidence is listed, those with the most: with a hundred, a point would be larger than all of its metrics."""


def weigh(state: State) -> list[Weighed]:
    """List the evidence of each detector and guard that computes one, against its threshold; of detectors of features the largest shares."""
    return bound(weigh_each(state))


def weigh_each(state: State) -> Iterator[Weighed]:
    """Yield the evidence of each detector and guard that computes one. The state may change between two of them."""
    for name, arm in list(state.arms.items()):
        for watch in (*arm.errors.values(), *arm.scores.values()):
            yield from _of_watch(name, watch)
    yield from _of_guards(dict(state.guards))
    watches = state.watches
    for watch in (
        *watches.labels.values(),
        *(one for each in watches.features.values() for one in each.watches.values()),
    ):
        yield from _of_watch(None, watch)


def bound(weighed: Iterable[Weighed]) -> list[Weighed]:
    """List evidence, but of the features only those with the largest shares of a threshold."""
    each = list(weighed)
    features = [one for one in each if one.watched.startswith("feature:")]
    largest = nlargest(FEATURES_MAX, features, key=lambda one: one.statistic / one.threshold)
    return [one for one in each if not one.watched.startswith("feature:")] + largest


def measure_experiments(state: State) -> list[ExperimentMeasured]:
    """List the experiments whose two arms the shard has, each with its bounds, after their first label."""
    return [
        _bounds(experiment)
        for experiment in state.experiments.values()
        if experiment.difference.count and {experiment.a, experiment.b} <= state.arms.keys()
    ]


def _of_watch(arm: str | None, watch: Watch) -> Iterator[Weighed]:
    weight = watch.detector.weigh() if isinstance(watch.detector, Weighing) else None
    if weight is not None:
        yield _weighed(arm, watch.detector.name, watch.watched, weight)


def _of_guards(guards: Mapping[str, Guard]) -> Iterator[Weighed]:
    for guard in guards.values():
        if isinstance(guard, Degraded):
            yield _weighed(CHAMPION, f"{guard.name}, last good version", "error", _weight(guard.comparison))
        elif isinstance(guard, BelowBaseline):
            for against, comparison in list(guard.comparisons.items()):
                yield _weighed(CHAMPION, f"{guard.name}, {against}", "error", _weight(comparison))


def _weight(comparison: Comparison) -> Weight:
    return Weight(comparison.detector.statistic, comparison.detector.threshold)


def _weighed(arm: str | None, detector: str, watched: str, weight: Weight) -> Weighed:
    return Weighed(arm, detector, watched, max(0.0, min(weight.statistic, weight.threshold)), weight.threshold)


def _bounds(experiment: Comparing) -> ExperimentMeasured:
    difference, (low, high) = experiment.mean_difference, experiment.difference.bounds()
    assert difference is not None  # there is a label
    return ExperimentMeasured(experiment.a, experiment.b, experiment.difference.count, difference, low, high)
