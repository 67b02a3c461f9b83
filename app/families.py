"""The metric families of `/metrics`: a row for each, with its type, its labels, its meaning, and how it is read from the parts of a worker.

Every value is read when Prometheus asks for it, from objects that the worker has anyway. Adding a family takes a row of one of the tables.
`docs/reference.md` prints them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar, get_args

from headrace.agents.feature_changes import ChangeKind
from headrace.agents.learn import LearningApp
from headrace.agents.shard import Shard
from headrace.agents.shards import Model
from headrace.agents.telemetry import Histogram, Promoted, SignalSeries
from headrace.app.answers import ShardState
from headrace.app.serving.served_task import ServedTask
from headrace.app.serving.serving import Serving
from headrace.learning.arms import Arm
from headrace.learning.codes import ALERTS, REFUSALS
from headrace.learning.reactions import BREAKER
from headrace.learning.signals import Direction, SignalKind
from headrace.learning.state import State

Type = Literal["counter", "gauge", "histogram"]

Values = tuple[str, ...]
"""The values of labels, in the order of their names."""

PERCENTILES = (50, 90, 99)

KINDS: tuple[SignalKind, ...] = get_args(SignalKind)


class Process(NamedTuple):
    """A worker as a whole: its Faust app, and what answers its questions."""

    app: LearningApp
    serving: Serving


class Owned(NamedTuple):
    """A shard that the worker owns, with its state."""

    shard: Shard
    state: State

    @property
    def end(self) -> int:
        """Return the end of the log when it was last looked up, or the position if that is further on by now."""
        return max(self.shard.progress.end, self.state.position)


class Answering(NamedTuple):
    """A model that the worker answers from, and the state of its shard here: a task that is stopped has only stopped ones."""

    model: Model
    state: ShardState


Subject = TypeVar("Subject")
Read = float | Histogram | Iterable[tuple[Values, float | Histogram | None]] | None
"""A value, None where there is none, or a value for each combination of the family's own labels."""


@dataclass(frozen=True)
class Family(Generic[Subject]):
    """A family of metrics.

    Parameters
    ----------
    name
        Begins with `headrace_`, ends with the unit; that of a counter with `_total`.
    type
        `counter`, `gauge` or `histogram`.
    meaning
        What it is, for people: the HELP text.
    read
        Reads the values from a subject.
    labels
        The family's own labels, besides those of its subject.
    """

    name: str
    type: Type
    meaning: str
    read: Callable[[Subject], Read]
    labels: Values = ()

    def values(self, subject: Subject) -> Iterator[tuple[Values, float | Histogram]]:
        """Yield the values of a subject, each with the values of the family's own labels.

        Examples
        --------
        >>> list(Family("headrace_letters", "gauge", "Letters of a word.", len).values("wheel"))
        [((), 5)]
        """
        read = self.read(subject)
        several = [((), read)] if read is None or isinstance(read, float | int | Histogram) else read
        for labels, value in several:
            if value is not None:
                yield labels, value


def _by(counts: Mapping[str, int], known: Iterable[str]) -> Iterator[tuple[Values, int]]:
    """Yield a count for each code, also for known ones that were not met yet: Prometheus sees no increase in a series that begins with 1."""
    for code in sorted({*known, *counts}):
        yield (code,), counts.get(code, 0)


def _states(served: ServedTask) -> Iterator[tuple[Values, int]]:
    """Yield the number of shards in each state."""
    states = [served.state_of(known) for known in served.shards.known().values()]
    for state in get_args(ShardState):
        yield (state,), states.count(state)


def _restarts(process: Process) -> Iterator[tuple[Values, int]]:
    """Yield for each background task how often it has failed. Its name is unique in the worker."""
    failures: dict[str, int] = {}
    for task in process.app.describe_background():
        failures[task.name] = failures.get(task.name, 0) + task.failures
    for name, count in failures.items():
        yield (name,), count


def _source_rows(process: Process) -> Iterator[tuple[Values, int]]:
    for task, ingest in process.app.ingesting.items():
        counts = ingest.context.counts
        for outcome in ("mapped", "left_out", "rejected"):
            yield (task, outcome), getattr(counts, outcome)


def _source_lags(process: Process) -> Iterator[tuple[Values, int]]:
    for task, ingest in process.app.ingesting.items():
        for (topic, partition), intake in sorted(ingest.intakes.items()):
            yield (task, topic, str(partition)), max(0, intake.end - intake.position)


def _delays(owned: Owned) -> Iterator[tuple[Values, float]]:
    """Yield percentiles of the last label delays; none before the first answered question."""
    delays = sorted(owned.state.join.delays)
    for percentile in PERCENTILES if delays else ():
        yield (str(percentile),), delays[min(len(delays) * percentile // 100, len(delays) - 1)] / 1000


def _signals(owned: Owned) -> Iterator[tuple[Values, int]]:
    """Yield the count of each series of signals, also of those that the detectors, guards and experiments of the shard may still begin."""
    partition, counted = owned.shard.partition, owned.shard.telemetry.signals
    series = {one for one in counted if one.partition == partition} | set(_expected(partition, owned.state))
    for one in sorted(series):
        yield one[1:], counted[one]


def _expected(partition: int, state: State) -> Iterator[SignalSeries]:
    watches = [("", watch) for watch in state.watches.labels.values()]
    watches += [("", watch) for one in state.watches.features.values() for watch in one.watches.values()]
    for name, arm in state.arms.items():
        watches += [(name, watch) for watch in (*arm.errors.values(), *arm.scores.values())]
    for name, watch in watches:
        watched = watch.watched.partition(":")[0]
        directions: tuple[Direction, ...] = ("better", "worse") if watched == "error" else ("changed",)
        for direction in directions:
            yield SignalSeries(partition, "drift", name, watch.detector.name, watched, direction)
    for guard in state.guards.values():
        if not guard.asks:
            continue
        if guard.name == "label_rate":
            yield SignalSeries(partition, "guard", "", guard.name, "label_rate", "changed")
        else:
            yield SignalSeries(partition, "guard", "champion", guard.name, "error", "worse")
    for experiment in state.experiments.values():
        for direction in get_args(Direction):
            yield SignalSeries(partition, "experiment", experiment.b, "experiment", "error", direction)


def _placed(name: str) -> Callable[[Owned], int | None]:
    """Make a reader of a count of keys; None where the task has one shard alone, to which every key belongs."""
    return lambda owned: None if owned.shard.placement is None else getattr(owned.shard.placement, name)


def _changes(owned: Owned) -> Iterator[tuple[Values, int]]:
    """Yield how many features have changed in each way."""
    changed = Counter(change.kind for change in owned.shard.feature_changes.find())
    for kind in get_args(ChangeKind):
        yield (kind,), changed[kind]


def _arms(
    figure: Callable[[Arm], tuple[float | None, float | None]],
) -> Callable[[Owned], Iterator[tuple[Values, float | None]]]:
    """Make a reader of a figure of each arm: over the whole log, and over the last 1,000 scored predictions."""

    def read(owned: Owned) -> Iterator[tuple[Values, float | None]]:
        for name, arm in owned.state.arms.items():
            for window, value in zip(("all", "recent"), figure(arm), strict=True):
                yield (name, arm.role, window), value

    return read


def _accuracy(arm: Arm) -> tuple[float | None, float | None]:
    board = arm.scoreboard
    error = None if board.kind in ("regression", "anomaly") else board.recent_error()
    return arm.scoreboard.figure("accuracy"), None if error is None else 1 - error


def _log_loss(arm: Arm) -> tuple[float | None, float | None]:
    return arm.scoreboard.figure("log_loss"), arm.scoreboard.recent_loss()


def _absolute_error(arm: Arm) -> tuple[float | None, float | None]:
    board = arm.scoreboard
    return arm.scoreboard.figure("mae"), board.recent_error() if board.kind == "regression" else None


OF_PROCESS: Sequence[Family[Process]] = (
    Family("headrace_buffer_bytes", "gauge", "Bytes of fetched messages that wait to be folded or mapped.",
           lambda one: one.app.backlog.size),
    Family("headrace_buffer_limit_bytes", "gauge", "Bytes of waiting messages at which the worker fetches no more: worker.buffer_bytes.",
           lambda one: one.app.backlog.limit),
    Family("headrace_rebalances_total", "counter", "Times that the consumer group has assigned partitions to the worker.",
           lambda one: one.app.rebalances),
    Family("headrace_background_restarts_total", "counter", "Failures of background tasks. A task that has failed is started again.",
           _restarts, ("background",)),
    Family("headrace_questions_logged_total", "counter", "Questions with log = async, by what became of them.",
           lambda one: [((name,), getattr(one.serving.appender, name)) for name in ("appended", "failed", "refused")], ("outcome",)),
    Family("headrace_source_rows_total", "counter", "Rows of sources: mapped to records, left out by when or as tombstones, or rejected to quarantine.",
           _source_rows, ("task", "outcome")),
    Family("headrace_source_lag_messages", "gauge", "Messages of a source that are not mapped yet.",
           _source_lags, ("task", "topic", "partition")),
)  # fmt: skip
"""What is one for a worker, or belongs to its sources."""

OF_TASK: Sequence[Family[ServedTask]] = (
    Family("headrace_shards", "gauge", "Shards of the task that are known on the worker, by their state here.", _states, ("state",)),
    Family("headrace_update_latency_seconds", "histogram",
           "Seconds from the timestamp of a message in Kafka until all of its records are folded.",
           lambda one: one.telemetry.update_seconds),
    Family("headrace_inference_latency_seconds", "histogram",
           "Seconds that an answered request for predictions took in the worker, with look-ups of features and questions to other workers.",
           lambda one: one.telemetry.inference_seconds),
    Family("headrace_predictions_total", "counter", "Questions that were answered, over HTTP or Kafka.",
           lambda one: one.telemetry.predictions),
    Family("headrace_predictions_refused_total", "counter", "Questions that could not be answered, by the code of the problem.",
           lambda one: _by(one.telemetry.refused, ()), ("code",)),
    Family("headrace_quarantined_total", "counter", "Records that the worker has sent to quarantine, by code.",
           lambda one: _by(one.telemetry.quarantined, REFUSALS), ("code",)),
    Family("headrace_alerts_total", "counter", "Alerts that the worker has published, by code.",
           lambda one: _by(one.telemetry.alerts, ALERTS), ("code",)),
    Family("headrace_notifications_total", "counter", "Signals for the hook of notify, by what became of them; retried counts each further try.",
           lambda one: _by(one.telemetry.notifications, ()), ("outcome",)),
    Family("headrace_snapshot_duration_seconds", "histogram",
           "Seconds from the beginning of a snapshot until the broker has acknowledged it.",
           lambda one: one.telemetry.snapshot_seconds),
    Family("headrace_snapshot_written_bytes_total", "counter", "Bytes of all snapshots that the broker has acknowledged, compressed.",
           lambda one: one.telemetry.snapshot_bytes),
    Family("headrace_snapshots_failed_total", "counter", "Snapshots that could not be taken or were not acknowledged.",
           lambda one: one.telemetry.snapshots_failed),
    Family("headrace_gaps_read_total", "counter", "Times that messages which were not delivered were read again, by where: log or source.",
           lambda one: _by(one.telemetry.gaps, ()), ("log",)),
    Family("headrace_gap_messages_total", "counter", "Offsets that were read again because they were not delivered, by where: log or source.",
           lambda one: _by(one.telemetry.gap_messages, ()), ("log",)),
)  # fmt: skip
"""What is counted for a task on the worker."""

OF_MODEL: Sequence[Family[Answering]] = (
    Family("headrace_staleness_seconds", "gauge",
           "At most so many seconds of the log are missing in the model that the worker answers from, by the state of the shard here.",
           lambda one: [((one.state,), max(0.0, one.model.staleness))], ("state",)),
    Family("headrace_model_position_offset", "gauge", "The position of the model that the worker answers from, also of a replica.",
           lambda one: one.model.position),
)  # fmt: skip
"""What there is for each model that the worker answers from: its own shards, and replicas of others."""

OF_SHARD: Sequence[Family[Owned]] = (
    Family("headrace_position_offset", "gauge", "The offset of the next message that the shard folds.", lambda one: one.state.position),
    Family("headrace_end_offset", "gauge", "The end of the shard's log when it was last looked up.", lambda one: one.end),
    Family("headrace_lag_messages", "gauge", "Messages of the log that the shard has not folded yet.",
           lambda one: one.end - one.state.position),
    Family("headrace_arrived_messages_total", "counter", "Messages that have arrived in the shard's log: its rate is the arrival rate.",
           lambda one: one.end),
    Family("headrace_records_total", "counter", "Samples, questions and labels that the shard has handled.", lambda one: one.state.step),
    Family("headrace_updates_total", "counter", "Labels that the shard has learned.", lambda one: one.state.updates),
    Family("headrace_skipped_total", "counter", "Records and control records that were skipped because they had been folded before.",
           lambda one: one.state.skipped),
    Family("headrace_unsaved_messages", "gauge", "Messages folded since the last durable snapshot.",
           lambda one: max(0, one.state.position - one.shard.saver.position)),
    Family("headrace_state_bytes", "gauge", "Bytes of the last snapshot before compression.", lambda one: one.shard.saver.sealer.size),
    Family("headrace_pending_questions", "gauge", "Questions that wait for their label.", lambda one: one.state.join.waiting),
    Family("headrace_pending_labels", "gauge", "Labels that wait for their question.", lambda one: one.state.join.early),
    Family("headrace_questions_answered_total", "counter", "Questions whose label has come.", lambda one: one.state.join.answered),
    Family("headrace_questions_expired_total", "counter", "Questions whose label has not come in time.",
           lambda one: one.state.join.expired),
    Family("headrace_label_delay_seconds", "gauge",
           "Percentiles of the time from question to label, in log time, of the last 1,000 answered questions.", _delays, ("percentile",)),
    Family("headrace_held_records", "gauge", "Records that wait for records with earlier event times, or to be learned together.",
           lambda one: [(("order",), len(one.state.order.held)), (("batch",), len(one.state.batch.rows))], ("buffer",)),
    Family("headrace_buffer_overflows_total", "counter", "Records that did not wait because 10,000 waited already.",
           lambda one: [(("order",), one.state.order.overflows), (("batch",), one.state.batch.overflows)], ("buffer",)),
    Family("headrace_paused", "gauge", "1 while the shard is paused, by whom: an operator, or a breaker that reacted to a signal.",
           lambda one: [((who,), int(one.state.paused is not None and (who == "breaker") == one.state.paused.startswith(BREAKER)))
                        for who in ("breaker", "operator")], ("by",)),
    Family("headrace_versions", "gauge", "Saved versions that are kept.", lambda one: len(one.state.versions.saved)),
    Family("headrace_versions_saved_total", "counter", "Versions that the worker has saved.",
           lambda one: one.shard.telemetry.versions[one.shard.partition]),
    Family("headrace_rollbacks_total", "counter", "Rollbacks that the worker has made, by a control record or as a reaction.",
           lambda one: one.shard.telemetry.rollbacks[one.shard.partition]),
    Family("headrace_promotions_total", "counter",
           "Challengers that the worker has put in the champion's place: by hand, or auto, as an experiment or the reaction background decided.",
           lambda one: [((how,), one.shard.telemetry.promotions[one.shard.partition, how]) for how in get_args(Promoted)], ("how",)),
    Family("headrace_signals_total", "counter",
           "Signals of detectors and guards, and verdicts of experiments. "
           f"The kind is {', '.join(KINDS[:-1])} or {KINDS[-1]}; all features count as one that is watched.",
           _signals, ("kind", "arm", "detector", "watched", "direction")),
    Family("headrace_accuracy_ratio", "gauge",
           "The share of right predictions, 0 to 1, over the whole log (all) or the last 1,000 scored ones (recent).",
           _arms(_accuracy), ("arm", "role", "window")),
    Family("headrace_log_loss", "gauge", "The mean log loss over the whole log (all) or the last 1,000 scored predictions (recent).",
           _arms(_log_loss), ("arm", "role", "window")),
    Family("headrace_mean_absolute_error", "gauge",
           "The mean absolute error of a regression over the whole log (all) or the last 1,000 scored predictions (recent).",
           _arms(_absolute_error), ("arm", "role", "window")),
    Family("headrace_keys_looked_at_total", "counter",
           "Keys of messages that were looked at, a sample: where they lie by Kafka's default partitioner. Of tasks with several shards.",
           _placed("looked_at")),
    Family("headrace_keys_misplaced_total", "counter",
           "Those of the keys looked at that belong to another shard: a question and its label may miss each other.",
           _placed("misplaced")),
    Family("headrace_changed_features", "gauge",
           "Features that come no more (gone), are new, or have another type than in the samples before, in the last 100,000 samples.",
           _changes, ("change",)),
)  # fmt: skip
"""What the state of each shard says that the worker owns."""

FAMILIES: Sequence[
    tuple[
        Values,
        Sequence[Family[Process]]
        | Sequence[Family[ServedTask]]
        | Sequence[Family[Answering]]
        | Sequence[Family[Owned]],
    ]
] = (
    ((), OF_PROCESS),
    (("task",), OF_TASK),
    (("task", "partition"), OF_MODEL),
    (("task", "partition"), OF_SHARD),
)
"""All tables, each with the labels of its subject."""
