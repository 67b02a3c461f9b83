"""Micro-batches: labels that are learned together, by number or by log time."""

from typing import NamedTuple

from headrace.learning.tags import tagged
from headrace.learning.task import BATCH_MAX, Label, Update, Value


@tagged("row/1")
class Row(NamedTuple):
    """Features and label, to be learned."""

    features: dict[str, Value]
    label: Label


@tagged("batch/1")
class BatchState:
    """What the state carries of the batch: rows to learn, the log time of the first, and how often there were too many."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.since = 0
        self.overflows = 0


class Batch:
    """Collects labelled rows until there are enough of them, or the first has waited long enough in log time.

    Parameters
    ----------
    state
        The rows.
    update
        How many, how long.

    Examples
    --------
    >>> batch = Batch(BatchState(), Update(batch=2))
    >>> for number in range(2):
    ...     batch.collect(Row({"x": 1.0}, True), clock=number)
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
        """The log time at which the rows must be learned."""
        return self.state.since + self.every if self.state.rows and self.every is not None else None

    def collect(self, row: Row, clock: int) -> None:
        """Add a row at this log time."""
        if not self.state.rows:
            self.state.since = clock
        self.state.rows.append(row)

    def is_due(self, clock: int) -> bool:
        """Whether there are enough rows, or the first has waited long enough."""
        due_at = self.due_at
        return len(self.state.rows) >= self.limit or (due_at is not None and due_at <= clock)

    @property
    def is_overflowing(self) -> bool:
        """Whether there are as many rows as may be, and only time was to decide."""
        return not self.bounded and len(self.state.rows) >= self.limit

    def take(self) -> list[Row]:
        """The rows, in order; there are none afterwards."""
        rows, self.state.rows = self.state.rows, []
        return rows
