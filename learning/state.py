"""The state of a shard: the result of folding its event log."""

from collections import deque

from headrace.learning.arms import Arm
from headrace.learning.metrics import ServedScores
from headrace.learning.records.labels import declared_type, initial_labels
from headrace.learning.records.mark import Mark
from headrace.learning.records.names import KnownNames
from headrace.learning.tags import tagged
from headrace.learning.task import Task, Value
from headrace.learning.waiting.batch import BatchState
from headrace.learning.waiting.join import JoinState
from headrace.learning.waiting.order import OrderState

PROBES = 32
"""The number of recent inputs in the state. A loaded snapshot must predict the same for them as when it was saved."""


@tagged("state/1")
class State:
    """Everything that a learner keeps from one record to the next. A snapshot holds it, and equal states have equal digests.

    The names of the attributes, here and in the objects that the state holds, are part of the encoding.

    Attributes
    ----------
    position
        The offset of the next message to fold.
    last
        The mark of the last message folded, which identifies the log; None before the first message.
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
    """

    def __init__(self, task: Task):
        self.position = 0
        self.last: Mark | None = None
        self.clock = 0
        self.step = 0
        self.updates = 0
        self.quarantined = 0
        self.skipped = 0
        self.arms = {"champion": Arm(task, role="champion")}
        self.join = JoinState()
        self.order = OrderState()
        self.batch = BatchState()
        self.served = ServedScores(task.kind)
        self.sources: dict[str, tuple[int, int]] = {}
        self.probes: deque[dict[str, Value]] = deque(maxlen=PROBES)
        self.label_type = declared_type(task)
        self.labels = initial_labels(task)
        self.names: KnownNames = {}
