"""The state of a shard: all that the fold of its event log has come to."""

from collections import deque

from headrace.learning.arms import Arm
from headrace.learning.metrics import ServedScores
from headrace.learning.records.labels import declared_type, initial_labels
from headrace.learning.records.mark import Mark
from headrace.learning.records.names import Known
from headrace.learning.tags import tagged
from headrace.learning.task import Task, Value
from headrace.learning.waiting.batch import BatchState
from headrace.learning.waiting.join import JoinState
from headrace.learning.waiting.order import OrderState

PROBES = 32
"""Recent inputs kept in the state; a loaded snapshot must answer them as it did when it was saved."""


@tagged("state/1")
class State:
    """All that a learner carries from record to record; its digest stands for it.

    Attributes
    ----------
    position
        The offset of the next message to fold.
    last
        The mark of the last message folded, by which the log is recognised; None before the first.
    clock
        Log time in milliseconds: the largest timestamp folded so far.
    step
        Records acted upon; each one's number is that of its entry in the join.
    updates
        Labels learned by the champion.
    quarantined
        Records refused.
    skipped
        Records that had been folded from the same source position before.
    arms
        Name to arm; the champion is always there.
    join, order, batch
        What waits for its other half, for its time, and to be learned.
    served
        The metrics of what users were really told.
    sources
        Source topic and partition to the last offset and row folded from there.
    probes
        The features of the last samples.
    label_type
        Of a multiclass task: the type of its labels, `int` or `str`; None until the first label.
    labels
        Of a multiclass task that declares none: the labels met so far.
    names
        The names learned so far, where the task's declaration does not limit them.
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
        self.names: Known = {}
