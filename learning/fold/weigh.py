"""Weighs what a shard has found out so far: the evidence of detectors and guards against their thresholds, and the bounds of experiments."""

from collections.abc import Iterator, Mapping

from headrace.learning.drift.evidence import Evidence
from headrace.learning.effects import ExperimentMeasured, Weighed
from headrace.learning.experiments import Comparing
from headrace.learning.guards.below_baseline import BelowBaseline
from headrace.learning.guards.degraded import Degraded
from headrace.learning.guards.guard import Guard
from headrace.learning.sequential import EDetector
from headrace.learning.state import State
from headrace.learning.task import CHAMPION


def weigh(state: State) -> list[Weighed]:
    """List the evidence of each detector and guard that computes one, against its threshold."""
    return [*_of_detectors(state), *_of_guards(state.guards)]


def measure_experiments(state: State) -> list[ExperimentMeasured]:
    """List the experiments whose two arms the shard has, each with its bounds, after their first label."""
    return [
        _bounds(experiment)
        for experiment in state.experiments.values()
        if experiment.difference.count and {experiment.a, experiment.b} <= state.arms.keys()
    ]


def _of_detectors(state: State) -> Iterator[Weighed]:
    for name, arm in state.arms.items():
        for watch in arm.errors.values():
            if isinstance(watch.detector, Evidence):
                yield _weighed(name, watch.detector.name, watch.watched, watch.detector.tested)


def _of_guards(guards: Mapping[str, Guard]) -> Iterator[Weighed]:
    for guard in guards.values():
        if isinstance(guard, Degraded):
            yield _weighed(CHAMPION, f"{guard.name}, last good version", "error", guard.comparison.detector)
        elif isinstance(guard, BelowBaseline):
            for against, comparison in guard.comparisons.items():
                yield _weighed(CHAMPION, f"{guard.name}, {against}", "error", comparison.detector)


def _weighed(arm: str, detector: str, watched: str, tested: EDetector) -> Weighed:
    return Weighed(arm, detector, watched, min(tested.statistic, tested.threshold), tested.threshold)


def _bounds(experiment: Comparing) -> ExperimentMeasured:
    difference, (low, high) = experiment.mean_difference, experiment.difference.bounds()
    assert difference is not None  # there is a label
    return ExperimentMeasured(experiment.a, experiment.b, experiment.difference.count, difference, low, high)
