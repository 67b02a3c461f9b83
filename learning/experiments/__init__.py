"""Experiments: which of two arms is better, and which arm answers whom."""

from headrace.learning.experiments.comparing import Comparing, ExperimentStatus, declared_experiments, experiments_of
from headrace.learning.experiments.segments import Segment, merge_segments, segments_of
from headrace.learning.experiments.traffic import Traffic

__all__ = [
    "Comparing",
    "ExperimentStatus",
    "Segment",
    "Traffic",
    "declared_experiments",
    "experiments_of",
    "merge_segments",
    "segments_of",
]
