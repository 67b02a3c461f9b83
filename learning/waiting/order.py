"""Event-time order: records that came out of order wait until those before them have had their time to come."""

from heapq import heappop, heappush
from typing import NamedTuple

from headrace.learning.codes import RefusalCode
from headrace.learning.tags import tagged

HELD_MAX = 10_000
"""Records that wait at most; one more, and the earliest waits no longer."""


@tagged("held/1")
class Held(NamedTuple):
    """A record that waits. Compared in this order: of one event time, a label comes before what is not one, then as in the log."""

    time: int
    rank: int
    offset: int
    row: int
    key: bytes | None
    line: bytes


@tagged("order/1")
class OrderState:
    """What the state carries of the order.

    Attributes
    ----------
    watermark
        Event time in milliseconds: what is before it comes too late.
    held
        A heap of the records that wait.
    came
        Log time at which the last one came.
    late, ahead, overflows
        Records that came too late, whose time lay too far ahead, and that could not wait because too many did. So far.
    """

    def __init__(self) -> None:
        self.watermark = 0
        self.held: list[Held] = []
        self.came = 0
        self.late = 0
        self.ahead = 0
        self.overflows = 0

    def describe(self) -> dict[str, int]:
        """Figures for people and metrics."""
        return {"held": len(self.held), "late": self.late, "ahead": self.ahead, "overflows": self.overflows}


class Order:
    """Holds records until the watermark, the largest event time less the lateness, has reached theirs.

    Only times in the log count, so the same log gives the same order. When no record has come for as long as the lateness, in log
    time, nothing is waited for any more and all are released. A record whose time lies further ahead of log time than the lateness
    must not wait: it would take the watermark past all that is still to come.

    Parameters
    ----------
    state
        What waits.
    lateness
        Milliseconds.

    Examples
    --------
    >>> order = Order(OrderState(), lateness=5)
    >>> for time in (10, 8, 14, 20):
    ...     _ = order.hold(Held(time, 1, 0, 0, None, b""), clock=20)
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
        """The log time at which all are released, should no record come."""
        return self.state.came + self.lateness if self.state.held else None

    def find_fault(self, time: int, clock: int) -> tuple[RefusalCode, str] | None:
        """Why a record of this event time must not wait at this log time, as a code and a reason; it is counted."""
        state = self.state
        if time < state.watermark:
            state.late += 1
            past = (state.watermark - time) / 1000
            return "late", f"the record came {past:g} s after the watermark had passed its time."
        if time > clock + self.lateness:
            state.ahead += 1
            return "ahead", f"its time is {(time - clock) / 1000:g} s ahead of the log's. Send seconds since 1970."
        return None

    def hold(self, held: Held, clock: int) -> bool:
        """Let a record wait that has come at this log time; whether there are too many now, for the first time in a while."""
        state = self.state
        heappush(state.held, held)
        state.watermark = max(state.watermark, held.time - self.lateness)
        state.came = clock
        if len(state.held) <= HELD_MAX or state.held[0].time <= state.watermark:
            return False
        state.watermark = state.held[0].time
        state.overflows += 1
        return state.overflows % HELD_MAX == 1

    def release(self) -> Held | None:
        """The next record whose time has come; the watermark has reached it."""
        state = self.state
        return heappop(state.held) if state.held and state.held[0].time <= state.watermark else None

    def wait_no_longer(self) -> None:
        """Let the watermark reach all that waits."""
        self.state.watermark = max(self.state.watermark, *(held.time for held in self.state.held))
