"""Tallies: the counts and sums of scored predictions from which metrics are read. Those of several shards add up to those of all."""

from headrace.learning.metrics.tallies.confusion import Confusion, Table
from headrace.learning.metrics.tallies.errors import Errors
from headrace.learning.metrics.tallies.losses import LabelLoss, ProbabilityLosses
from headrace.learning.metrics.tallies.score_histogram import Groups, ScoreHistogram
from headrace.learning.metrics.tallies.tally import Tally

__all__ = ["Confusion", "Errors", "Groups", "LabelLoss", "ProbabilityLosses", "ScoreHistogram", "Table", "Tally"]
