"""Metrics over time."""

import msgspec

from headrace.app.answers.answer import Position
from headrace.learning.effects import ArmMeasured, ExperimentMeasured, Weighed


class HistoryPoint(msgspec.Struct, frozen=True):
    """The metrics of a shard's arms, as they were at one moment.

    Parameters
    ----------
    partition, position
        The shard, and the offset of the message at which it was measured.
    time
        Log time in seconds since the epoch.
    updates
        Labels that the shard had learned.
    label_delay_s
        Quantiles of the last label delays, in seconds of log time; None before the first label of a question.
    arms
        The metrics of each arm.
    evidence
        The evidence of each detector and guard that computes one, against its threshold.
    experiments
        The bounds of each experiment that had compared a label. Both lists are empty in points of earlier releases.
    """

    partition: Position
    time: float
    position: Position
    updates: Position
    label_delay_s: dict[str, float | None]
    arms: dict[str, ArmMeasured]
    evidence: list[Weighed] = []
    experiments: list[ExperimentMeasured] = []


class HistoryPoints(msgspec.Struct, frozen=True):
    """The points of a task's shards, by partition and oldest first."""

    points: list[HistoryPoint]
