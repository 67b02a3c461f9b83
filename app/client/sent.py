"""What became of the rows of a data frame that a client has sent."""

import msgspec

REASONS = 20
"""The number of refused rows whose reasons are kept."""


class RefusedRow(msgspec.Struct, frozen=True):
    """A row of a data frame that was refused: its place in the frame, from 0, and the reason."""

    row: int
    reason: str


class Sent(msgspec.Struct, frozen=True):
    """What became of the rows of a data frame.

    Parameters
    ----------
    rows
        The number of rows that were looked at, from the first: all of them, unless an error came in between.
    appended
        The number of rows whose samples are in the event log.
    refused
        The number of rows that are not, because they are no samples of the task.
    reasons
        The first 20 of them, with the reasons.
    left_out
        The columns that were left out: they are not declared as features, or hold no values of features.
    positions
        For each partition that got samples, the position of a model that has folded all of them: `predict(..., min_position=)` takes it.
    waited_s
        The seconds that were waited because the worker had asked to: the API key makes no more requests a second.

    Examples
    --------
    >>> print(Sent(3, 2, 1, [RefusedRow(1, "the label is missing.")], [], {0: 2}))
    2 of 3 rows appended, 1 refused. Row 1: the label is missing.
    """

    rows: int
    appended: int
    refused: int
    reasons: list[RefusedRow]
    left_out: list[str]
    positions: dict[int, int]
    waited_s: float = 0.0

    def __str__(self) -> str:
        lines = [f"{self.appended:,} of {self.rows:,} rows appended, {self.refused:,} refused."]
        lines += [f"Row {one.row:,}: {one.reason}" for one in self.reasons[:3]]
        if self.left_out:
            lines.append(f"Columns left out: {', '.join(self.left_out)}.")
        if self.waited_s:
            lines.append(f"Waited {self.waited_s:g} s, as the worker asked.")
        return " ".join(lines)


class Waited:
    """The seconds that a client has waited because a worker had asked it to."""

    def __init__(self) -> None:
        self.seconds = 0.0


class Tally:
    """Counts what becomes of the rows of a data frame while they are sent.

    Parameters
    ----------
    left_out
        The columns that are left out.
    waited
        How long was waited; None where nobody asks to wait.
    """

    def __init__(self, left_out: list[str], waited: Waited | None = None):
        self.left_out, self.waited = left_out, waited or Waited()
        self.appended = self.refused = 0
        self.reasons: list[RefusedRow] = []
        self.positions: dict[int, int] = {}

    def append(self, partition: int, offset: int) -> None:
        """Count a row that was appended at a place in the log."""
        self.appended += 1
        self.positions[partition] = max(self.positions.get(partition, 0), offset + 1)

    def refuse(self, row: int, reason: str) -> None:
        """Count a row that was refused."""
        self.refused += 1
        if len(self.reasons) < REASONS:
            self.reasons.append(RefusedRow(row, reason))

    @property
    def sent(self) -> Sent:
        """The result up to now."""
        rows = self.appended + self.refused
        positions = dict(self.positions)
        return Sent(
            rows, self.appended, self.refused, list(self.reasons), self.left_out, positions, self.waited.seconds
        )
