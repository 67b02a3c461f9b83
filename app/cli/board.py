"""The board of `headrace top`: a row for each shard, made from the last answers of the worker."""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from msgspec import UNSET, UnsetType
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from headrace.app.answers import ArmStatus, ShardStatus, Status, StoredSignal
from headrace.app.cli.screen import needed_width, styled
from headrace.learning.metrics import MAIN
from headrace.learning.task import Json

SAMPLES = 6
"""The number of last looks from which the rates are computed: those of five seconds."""

STYLES = {"live": "green", "waiting": "yellow", "opening": "yellow", "stopped": "bold red"}
LEFT = ("task", "state", "version", "last signal")
COLUMNS = (
    "task",
    "shard",
    "state",
    "position",
    "lag",
    "updates/s",
    "answers/s",
    "recent",
    "overall",
    "version",
    "last signal",
)

NAME_WIDTH = 20
"""The width from which on the name of a task is folded, where there is no room for all of it."""

DROPPED = ("version", "last signal", "position", "answers/s", "updates/s", "overall", "lag", "shard")
"""The columns that a narrow terminal has no room for, the least important first. State and recent metric stay; signals become lines."""


class Sample(NamedTuple):
    """The counts of a task at one look, and the time of the look in seconds."""

    time: float
    answered: int
    updates: dict[int, int]


class TaskBoard:
    """What is known of one task: the last status, the counts of the last looks, and the signals.

    Attributes
    ----------
    failure
        Why the worker gave no answer at the last look; empty if it gave one. The last status stays.
    """

    def __init__(self) -> None:
        self.status: Status | None = None
        self.signals: Sequence[StoredSignal] = ()
        self.failure = ""
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)

    def see(self, status: Status, at: float) -> None:
        """Take a status that came at a time, in seconds of a clock that never goes back."""
        self.status, self.failure = status, ""
        updates = {one.partition: count for one in status.shards if not isinstance(count := one.updates, UnsetType)}
        self._samples.append(Sample(at, status.answered, updates))

    def miss(self, failure: str) -> None:
        """Take note that the worker gave no answer. The rates begin anew when it does."""
        self.failure = failure
        self._samples.clear()

    @property
    def answers_per_second(self) -> float | None:
        """Questions answered a second, over the last looks; None while there are fewer than two, or where the worker was started anew."""
        return self._rate([(one.time, one.answered) for one in self._samples])

    def updates_per_second(self, partition: int) -> float | None:
        """Labels learned a second by a shard, over the last looks."""
        return self._rate([(one.time, one.updates[partition]) for one in self._samples if partition in one.updates])

    @staticmethod
    def _rate(counts: Sequence[tuple[float, int]]) -> float | None:
        """Return the rise a second; None if there are fewer than two counts, or the count has fallen.

        Examples
        --------
        >>> TaskBoard._rate([(0.0, 10), (1.0, 20), (2.0, 70)]), TaskBoard._rate([(0.0, 10), (1.0, 0)])
        (30.0, None)
        """
        if len(counts) < 2 or counts[-1][1] < counts[0][1]:
            return None
        return (counts[-1][1] - counts[0][1]) / (counts[-1][0] - counts[0][0])


def as_table(boards: dict[str, TaskBoard], address: str, now: datetime, width: int) -> RenderableType:
    """Show all tasks in one table, at most `width` characters wide, with the time in a line above it and errors in lines below it."""
    failures = {board.failure for board in boards.values() if board.failure}
    head = styled(f"{address}  {now:%Y-%m-%d %H:%M:%S} UTC", "bold")
    columns, dropped = list(COLUMNS), list[str]()
    for name in DROPPED:
        if needed_width(_table(boards, columns, NAME_WIDTH)) <= width:  # a longer name is folded
            break
        dropped.append(name)
        columns.remove(name)
    table = _table(boards, columns)
    notes = [styled(failure, "bold red") for failure in sorted(failures)]
    for name, board in boards.items():
        for shard in () if board.status is None else board.status.shards:
            if "last signal" in dropped and (signal := last_signal(board.signals, shard.partition)):
                notes.append(styled(f"{name}, shard {shard.partition}: {signal}", ""))
            if isinstance(shard.error, str):
                notes.append(styled(f"{name}, shard {shard.partition}: {shard.error}", "red"))
    return Group(head, table, *notes)


def _table(boards: dict[str, TaskBoard], columns: Sequence[str], name_width: int | None = None) -> Table:
    table = Table()
    for column in columns:
        is_whole = column not in ("last signal", "task")
        side: Literal["left", "right"] = "left" if column in LEFT else "right"
        table.add_column(column, justify=side, no_wrap=is_whole, overflow="fold")
    for name, board in boards.items():
        if board.status is None:
            cells: dict[str, str | Text] = {"task": name[:name_width], "state": styled("unknown", "dim")}
            table.add_row(*(cells.get(column, "") for column in columns))
            continue
        for number, shard in enumerate(board.status.shards):
            cells = row_of(board, shard, is_first=number == 0)
            cells["task"] = str(cells["task"])[:name_width]
            table.add_row(*(cells[column] for column in columns), style="dim" if board.failure else "")
    return table


def row_of(board: TaskBoard, shard: ShardStatus, *, is_first: bool) -> dict[str, str | Text]:
    """Return the cells of a shard by their columns. The name of the task and its answers stand in its first row alone."""
    assert board.status is not None
    champion = None if isinstance(shard.arms, UnsetType) else shard.arms.get("champion")
    name = MAIN[board.status.kind]
    return {
        "task": board.status.task if is_first else "",
        "shard": str(shard.partition),
        "state": styled(shard.state, STYLES.get(shard.state, "")),
        "position": "" if shard.position is UNSET else f"{shard.position:,}",
        "lag": lag_of(shard),
        "updates/s": _rounded(board.updates_per_second(shard.partition)),
        "answers/s": _rounded(board.answers_per_second) if is_first else "",
        "recent": figure_of(champion, name, recent=True),
        "overall": figure_of(champion, name, recent=False),
        "version": (champion.version or "") if champion else "",
        "last signal": last_signal(board.signals, shard.partition),
    }


def lag_of(shard: ShardStatus) -> str:
    """Return how many offsets a shard is behind the end of its log; `?` while the broker does not say."""
    if isinstance(shard.position, UnsetType) or isinstance(shard.end, UnsetType):
        return ""
    return "?" if shard.end is None else f"{shard.end - shard.position:,}"


def figure_of(arm: ArmStatus | None, name: str, *, recent: bool) -> str:
    """Return a metric of an arm with its name, recent or over all; an empty string while there is no figure.

    Examples
    --------
    >>> arm = ArmStatus("champion", "logistic", None, 9, {"accuracy": 0.875, "window": {"accuracy": None}})
    >>> figure_of(arm, "accuracy", recent=False), figure_of(arm, "accuracy", recent=True)
    ('accuracy 0.8750', '')
    """
    if arm is None:
        return ""
    metrics: dict[str, Json] = arm.metrics["window"] if recent else arm.metrics
    value = metrics.get(name)
    return f"{name} {value:.4f}" if isinstance(value, float) else ""


def last_signal(signals: Sequence[StoredSignal], partition: int) -> str:
    """Return the time of a shard's last signal, and what it says; an empty string if there is none."""
    last = next((one for one in reversed(signals) if one.partition == partition), None)
    if last is None:
        return ""
    return f"{datetime.fromtimestamp(last.time, UTC):%m-%d %H:%M:%S} {last.detector}: {last.watched} {last.direction}"


def _rounded(rate: float | None) -> str:
    return "" if rate is None else f"{rate:,.0f}" if rate >= 10 or rate == 0 else f"{rate:.1f}"
