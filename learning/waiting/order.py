"""Event-time order: a record waits until records with earlier event times have had time to come."""

from heapq import heappop, heappush
from typing import NamedTuple

from headrace.learning.codes import RefusalCode
from headrace.learning.tags import tagged

HELD_MAX = 10_000
"""The most records that wait. With one more, the earliest record is released."""


@tagged("held/1")
class HeldRecord(NamedTuple):
    """A record that is held back. Records are ordered by event time; at the same time, labels come first, then the order of the log."""

    time: int
    rank: int
    offset: int
    row: int
    key: bytes | None
    line: bytes


@tagged("order/1")
class OrderState:
    """The event-time order's part of the state.

    Attributes
    ----------
    watermark
        An event time in milliseconds. A record with an earlier event time comes too late.
    held
        A heap of the records that are held back.
    came
        The log time at which the last record came.
    late, ahead, overflows
        The number of records so far that came too late, that lay too far ahead, and that made too many wait.
    """

    def __init__(self) -> None:
        self.watermark = 0
        self.held: list[HeldRecord] = []
        self.came = 0
        self.late = 0
        self.ahead = 0
        self.overflows = 0

    def describe(self) -> dict[str, int]:
        """Return the counts for `GET /v1/{task}` and for metrics."""
        return {"held": len(self.held), "late": self.late, "ahead": self.ahead, "overflows": self.overflows}


class Order:
    """Holds each record back until the watermark has reached its event time. The watermark is the largest event time less the lateness.

    The order depends only on times in the log, so the same log gives the same order. If no record comes for as long as the lateness, in
    log time, all held records are released. A record whose event time is further ahead of log time than the lateness is not held: it
    would move the watermark past the records that are still to come.

    Parameters
    ----------
    state
        The records that are held back, and the watermark.
    lateness
        How long a record waits for earlier ones, in milliseconds.

    Examples
    --------
    >>> order = Order(OrderState(), lateness=5)
    >>> for time in (10, 8, 14, 20):
    ...     _ = order.hold(HeldRecord(time, 1, 0, 0, None, b""), clock=20)
    ...     while (held := order.release()) is not None:
    ...         print(f"{held.time} released at {time}")
    8 released at 14
    10 released at 20
    14 released at 20
    """

    def __init__(self, state: OrderState, lateness: int):
        self.state = state
        self.lateness = lateness

    @property
    def due_at(self) -> int | None:
        """The log time at which all held records are released if no other record comes; None if none is held."""
        return self.state.came + self.lateness if self.state.held else None

    def find_fault(self, time: int, clock: int) -> tuple[RefusalCode, str] | None:
        """Return the code and the reason why a record comes too late or too far ahead, and count it; None if it may wait."""
        state = self.state
        if time < state.watermark:
            state.late += 1
            past = (state.watermark - time) / 1000
            return "late", f"the record came {past:g} s after the watermark had passed its time."
        if time > clock + self.lateness:
            state.ahead += 1
            return "ahead", f"its time is {(time - clock) / 1000:g} s ahead of the log's. Send seconds since 1970."
        return None

    def hold(self, held: HeldRecord, clock: int) -> bool:
        """Hold back a record that came at a log time; return True if an alert is due because too many records wait."""
        state = self.state
        heappush(state.held, held)
        state.watermark = max(state.watermark, held.time - self.lateness)
        state.came = clock
        if len(state.held) <= HELD_MAX or state.held[0].time <= state.watermark:
            return False
        state.watermark = state.held[0].time
        state.overflows += 1
        return state.overflows % HELD_MAX == 1

    def release(self) -> HeldRecord | None:
        """Remove and return the next record that the watermark has reached; None if there is none."""
        state = self.state
        return heappop(state.held) if state.held and state.held[0].time <= state.watermark else None

    def wait_no_longer(self) -> None:
        """Move the watermark past all held records, so that they are released."""
        self.state.watermark = max(self.state.watermark, *(held.time for held in self.state.held))
