"""Micro-batches: labels that are collected and learned together, after a number of them or a log time."""

from typing import NamedTuple

from headrace.learning.tags import tagged
from headrace.learning.task import BATCH_MAX, Label, Update, Value


@tagged("row/1")
class LabelledFeatures(NamedTuple):
    """Features and their label, ready to be learned."""

    features: dict[str, Value]
    label: Label


@tagged("batch/1")
class BatchState:
    """The batch's part of the state: the rows to learn, the log time of the first row, and how often there were too many rows."""

    def __init__(self) -> None:
        self.rows: list[LabelledFeatures] = []
        self.since = 0
        self.overflows = 0


class Batch:
    """Collects labelled rows until there are enough of them, or until the first row has waited long enough in log time.

    Parameters
    ----------
    state
        The rows collected so far.
    update
        The number of rows and the log time after which they are learned.

    Examples
    --------
    >>> batch = Batch(BatchState(), Update(batch=2))
    >>> for number in range(2):
    ...     batch.collect(LabelledFeatures({"x": 1.0}, True), clock=number)
    ...     print(batch.is_due(clock=number))
    False
    True
    >>> len(batch.take())
    2
    """

    def __init__(self, state: BatchState, update: Update):
        self.state = state
        self.limit = update.batch or BATCH_MAX
        self.bounded = update.batch is not None
        self.every = update.every_ms

    @property
    def due_at(self) -> int | None:
        """The log time at which the rows must be learned; None while nothing waits for a time."""
        return self.state.since + self.every if self.state.rows and self.every is not None else None

    def collect(self, row: LabelledFeatures, clock: int) -> None:
        """Add a row that came at a log time."""
        if not self.state.rows:
            self.state.since = clock
        self.state.rows.append(row)

    def is_due(self, clock: int) -> bool:
        """Return whether there are enough rows, or the first row has waited long enough."""
        due_at = self.due_at
        return len(self.state.rows) >= self.limit or (due_at is not None and due_at <= clock)

    @property
    def is_overflowing(self) -> bool:
        """Whether a batch without a size of its own has reached `BATCH_MAX` rows before its time."""
        return not self.bounded and len(self.state.rows) >= self.limit

    def take(self) -> list[LabelledFeatures]:
        """Remove all rows and return them, in order."""
        rows, self.state.rows = self.state.rows, []
        return rows
