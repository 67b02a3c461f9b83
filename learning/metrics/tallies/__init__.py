"""Tallies: the counts and sums of scored predictions from which metrics are read. Those of several shards add up to those of all."""

from headrace.learning.metrics.tallies.confusion import Confusion, Table
from headrace.learning.metrics.tallies.costs import Costs
from headrace.learning.metrics.tallies.decisions import Decisions
from headrace.learning.metrics.tallies.errors import Errors
from headrace.learning.metrics.tallies.label_loss import LabelLoss
from headrace.learning.metrics.tallies.probabilities import Groups, Probabilities
from headrace.learning.metrics.tallies.tally import Scored, Tally

__all__ = [
    "Confusion",
    "Costs",
    "Decisions",
    "Errors",
    "Groups",
    "LabelLoss",
    "Probabilities",
    "Scored",
    "Table",
    "Tally",
]
