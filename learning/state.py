"""The state of a shard: the result of folding its event log."""

from collections import deque

from headrace.learning.arms import Arm, arms_beside
from headrace.learning.experiments import Traffic, experiments_of, segments_of
from headrace.learning.guards import Guard, guards_of
from headrace.learning.guards.background_test import BackgroundTest
from headrace.learning.metrics import ServedScores
from headrace.learning.records.labels import declared_type, initial_labels
from headrace.learning.records.mark import Mark
from headrace.learning.records.names import KnownNames
from headrace.learning.rehearsal import Reservoir
from headrace.learning.rings import Rings
from headrace.learning.signals import SIGNALS_MAX, Signal
from headrace.learning.tags import tagged
from headrace.learning.task import CHAMPION, Label, Task, Value, define, definition, fingerprint
from headrace.learning.versions import VersionIndex
from headrace.learning.waiting.batch import BatchState
from headrace.learning.waiting.join import JoinState
from headrace.learning.waiting.order import OrderState
from headrace.learning.watch import RecordWatches

CONTROLS_MAX = 1_000
"""Ids of control records that are remembered: one that comes again after so many others is carried out again."""

PROBES = 32
"""The number of recent inputs in the state. A loaded snapshot must predict the same for them as when it was saved."""


@tagged("state/4")
class State:
    """Everything that a learner keeps from one record to the next. A snapshot holds it, and equal states have equal digests.

    The names of the attributes, here and in the objects that the state holds, are part of the encoding.

    Attributes
    ----------
    position
        The offset of the next message to fold.
    last
        The mark of the last message folded, which identifies the log; None before the first message.
    begun_at
        Log time in milliseconds of the first message; None before it.
    clock
        Log time in milliseconds: the largest timestamp folded so far.
    step
        The number of records handled. An entry in the join has the step of the record that wrote it.
    updates
        The number of labels that the champion has learned.
    quarantined
        The number of refused records.
    skipped
        The number of records that were skipped because their source position was folded before.
    arms
        The arms by name; the champion is always there.
    experiments
        The experiments, by the names of their arms.
    traffic
        Which arm answers whom.
    segments
        The scores of the champion for each value of some features.
    join
        Counts of the questions and labels that wait for each other.
    order
        The records that wait for earlier ones.
    batch
        The labels that wait to be learned together.
    served
        The metrics of the predictions that users were served.
    sources
        `<topic>/<partition>` of each source, with the last offset and row folded from it.
    probes
        The features of the last samples.
    label_type
        For a multiclass task: the type of its labels, `int` or `str`; None until the first label.
    labels
        For a multiclass task that declares no labels: the labels met so far.
    names
        The names learned so far, if the task's schema does not limit them.
    definition
        By what the log is folded: see `learning.task.define`.
    begun_by
        The fingerprint of the definition by which the log is folded from its beginning on.
    defined_at
        The offset of the `define` record that it is from; None if the log has none yet.
    versions
        The index of the versions that are kept.
    controls
        Ids of the last control records, each with what it did; one of the same id does nothing more.
    forgotten
        Ids of questions that were taken out by `unlearn` before their labels came, with the log time of that.
    jobs
        Ids of the jobs that are under way, each with its control record.
    left_out
        What was unlearned: jobs leave it out from then on. See `learning.recipe.Without`.
    paused
        The id of the control record at which the shard waits to be resumed, or what has paused it; or None.
    watches
        The detectors that watch the records: their labels and features.
    guards
        The guards by name.
    asked
        The number of samples and questions for which the arms have predicted.
    unseen
        The labels that the guards have not seen yet.
    background
        The comparison of the champion with the challenger that a reaction has begun.
    reservoir
        Past samples to learn again.
    signals
        The last signals, the oldest first.
    acts
        The name of each reaction that has acted, with the steps of its last acts.
    rings
        When the next points of the history are due.
    """

    def __init__(self, task: Task):
        self.position = 0
        self.last: Mark | None = None
        self.begun_at: int | None = None
        self.clock = 0
        self.step = 0
        self.updates = 0
        self.quarantined = 0
        self.skipped = 0
        self.arms = {CHAMPION: Arm(task, role="champion"), **arms_beside(task)}
        self.experiments = experiments_of(task)
        self.traffic = Traffic()
        self.segments = segments_of(task)
        self.join = JoinState()
        self.order = OrderState()
        self.batch = BatchState()
        self.served = ServedScores(task.kind)
        self.sources: dict[str, tuple[int, int]] = {}
        self.probes: deque[dict[str, Value]] = deque(maxlen=PROBES)
        self.label_type = declared_type(task)
        self.labels = initial_labels(task)
        self.names: KnownNames = {}
        self.definition = define(task)
        self.begun_by = fingerprint(self.definition)
        self.defined_at: int | None = None
        self.versions = VersionIndex()
        self.controls: dict[str, str] = {}
        self.paused: str | None = None
        self.forgotten: dict[str, int] = {}
        self.jobs: dict[str, bytes] = {}
        self.left_out = b"{}"
        self.watches = RecordWatches(task)
        self.guards: dict[str, Guard] = guards_of(task)
        self.asked = 0
        self.unseen: list[Label] = []
        self.background = BackgroundTest(task)
        self.reservoir = Reservoir()
        self.signals: deque[Signal] = deque(maxlen=SIGNALS_MAX)
        self.acts: dict[str, list[int]] = {}
        self.rings = Rings()

    def is_forgotten(self, record_id: str, asked_at: int) -> bool:
        """Tell whether a question, asked at a log time, was taken out by `unlearn`."""
        return bool(self.forgotten) and asked_at <= self.forgotten.get(record_id, -1)

    @property
    def task(self) -> Task:
        """The definition in force, as a task without a name of its own."""
        return definition.read(self.definition)


def remember(state: State, name: str, did: str) -> None:
    """Remember what the control record of an id did, and forget the oldest when there are too many."""
    state.controls.setdefault(name, did)
    while len(state.controls) > CONTROLS_MAX:
        del state.controls[next(iter(state.controls))]
