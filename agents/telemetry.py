"""Telemetry: the counts and latencies of one task on this worker that no state holds, for `/metrics` to read."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

from headrace.agents.refusal_log import RefusalLog
from headrace.agents.tracing import UNTRACED, Tracer
from headrace.learning.effects import Acted, Alert, Drift, Effect, Predicted, Quarantined, Reacted, Saved

UPDATE_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
INFERENCE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SNAPSHOT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


Promoted = Literal["hand", "auto"]
"""How a challenger was promoted: by a control record, or by itself."""


class Histogram:
    """Counts durations in buckets.

    All observations are made in the thread of the event loop, so none needs a lock, and one takes half the time of `prometheus_client`.

    Parameters
    ----------
    bounds
        The largest value of each bucket but the last one, in seconds, in ascending order.

    Examples
    --------
    >>> histogram = Histogram([0.1, 1.0])
    >>> for seconds in (0.1, 0.2, 30.0):
    ...     histogram.observe(seconds)
    >>> list(histogram.cumulative()), histogram.total
    ([(0.1, 1), (1.0, 2), (inf, 3)], 30.3)
    """

    def __init__(self, bounds: Sequence[float]):
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield each bound, infinity at last, with the number of durations that do not exceed it."""
        return zip((*self.bounds, float("inf")), accumulate(self.counts), strict=True)


class SignalSeries(NamedTuple):
    """Signals that are counted together: all of a shard that differ in nothing but their figures, and in the feature that is watched."""

    partition: int
    kind: str
    arm: str
    detector: str
    watched: str
    direction: str

    @classmethod
    def of(cls, partition: int, signal: Drift) -> "SignalSeries":
        """Return the series of a signal. All features count as one: their number has no small bound."""
        watched = signal.watched.partition(":")[0]
        return cls(partition, signal.kind, signal.arm or "", signal.detector, watched, signal.direction)


class Telemetry:
    """Counts what a worker does for one task, from the start of the worker on.

    Everything that the state of a shard holds is read from there, and not counted again. An effect that is published again after a crash is
    counted again, by the worker that publishes it.

    Parameters
    ----------
    task
        The name of the task.

    Attributes
    ----------
    tracer
        Makes the spans of the shards.
    update_seconds
        From the timestamp of a message in Kafka until all of its records are folded.
    inference_seconds
        Of each answered request for predictions.
    snapshot_seconds
        From the beginning of a snapshot until the broker has acknowledged it.
    snapshot_bytes, snapshots_failed
        The bytes of all snapshots that were acknowledged, as they are sent; and how many snapshots failed.
    predictions, refused
        Questions answered; questions refused, by code.
    gaps, gap_messages
        How often messages that were not delivered were read again, and how many offsets that were, by the log that was read: `log` or `source`.
    refusals
        The refused records by code, and their lines in the log.
    alerts
        By code.
    signals
        By series.
    notifications
        Signals for the hook: sent; tried again; failed for good; dropped because too many waited.
    versions, rollbacks
        Versions saved and rollbacks made, by partition.
    promotions
        Promotions made, by partition and by how: `hand` or `auto`.
    """

    def __init__(self, task: str = "") -> None:
        self.tracer: Tracer = UNTRACED
        self.update_seconds = Histogram(UPDATE_SECONDS)
        self.inference_seconds = Histogram(INFERENCE_SECONDS)
        self.snapshot_seconds = Histogram(SNAPSHOT_SECONDS)
        self.snapshot_bytes = 0
        self.snapshots_failed = 0
        self.predictions = 0
        self.refused: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter(log=0, source=0)
        self.gap_messages: Counter[str] = Counter(log=0, source=0)
        self.refusals = RefusalLog(task)
        self.alerts: Counter[str] = Counter()
        self.signals: Counter[SignalSeries] = Counter()
        self.notifications: Counter[str] = Counter(sent=0, retried=0, failed=0, dropped=0)
        self.versions: Counter[int] = Counter()
        self.rollbacks: Counter[int] = Counter()
        self.promotions: Counter[tuple[int, Promoted]] = Counter()

    @property
    def quarantined(self) -> Counter[str]:
        """Return the refused records by code."""
        return self.refusals.counts

    def count(self, partition: int, effects: Iterable[Effect]) -> None:
        """Count effects that were published.

        Examples
        --------
        >>> telemetry = Telemetry()
        >>> telemetry.count(0, [Alert(id="ads/0/7/0/0", code="batch_full", detail="", time=0.0)])
        >>> telemetry.alerts
        Counter({'batch_full': 1})
        """
        for effect in effects:
            if isinstance(effect, Predicted):
                continue  # most effects, if the task publishes its predictions
            if isinstance(effect, Quarantined):
                self.refusals.note(effect.code, effect.reason, effect.id)
            elif isinstance(effect, Alert):
                self.alerts[effect.code] += 1
            elif isinstance(effect, Drift):
                self.signals[SignalSeries.of(partition, effect)] += 1
            elif isinstance(effect, Saved):
                self.versions[partition] += 1
            elif is_rollback(effect):
                self.rollbacks[partition] += 1
            elif (how := promoted_by(effect)) is not None:
                self.promotions[partition, how] += 1


def is_rollback(effect: Effect) -> bool:
    """Say whether an effect tells that another model was put in the champion's place by `rollback`, a control record or a reaction."""
    if isinstance(effect, Acted):
        return effect.command == "rollback" and effect.before != effect.after
    return isinstance(effect, Reacted) and effect.reaction == "rollback" and effect.before != effect.after


def promoted_by(effect: Effect) -> Promoted | None:
    """Say whether a challenger has taken the champion's place by a control record, or by itself; None if an effect tells of neither.

    An experiment and the reaction `background` promote by themselves.
    """
    if isinstance(effect, Acted):
        return "hand" if effect.command == "promote" and effect.before != effect.after else None
    if not isinstance(effect, Reacted) or effect.reaction not in ("promote", "background"):
        return None
    return "auto" if effect.acted and effect.before != effect.after else None
