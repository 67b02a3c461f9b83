"""The reaction `alert`: tell an operator."""

from typing import ClassVar

from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Alert:
    """Emits an alert for an operator on `<task>.signals`."""

    name: ClassVar[str] = "alert"
    changes: ClassVar[bool] = False
    ends: ClassVar[bool] = False

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Find none: an operator can always be told."""

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """Emit the alert."""
        turn.alert("drift", describe(signal))
        return "alert"


def describe(signal: Signal) -> str:
    """Say what a signal is about.

    Examples
    --------
    >>> from headrace.learning.signals import Notice
    >>> notice = Notice("champion", "adwin", "error", "worse", 0.1, 0.3, 900, 100, None, None, "drift")
    >>> describe(Signal.of(notice, "ads/0/7/0/0", 7, 1_000))
    "adwin: the error of arm 'champion' went from 0.1 (900 values) to 0.3 (100 values)."
    """
    whose = f" of arm '{signal.arm}'" if signal.arm else ""
    before, after = f"{signal.before:.4g} ({signal.width_before} values)", f"{signal.after:.4g} ({signal.width} values)"
    return f"{signal.detector}: the {signal.watched}{whose} went from {before} to {after}."
