"""The interface of a reaction, and the rows of a task's `reactions`."""

from typing import ClassVar, NamedTuple, Protocol

from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.task import Mode
from headrace.learning.turn import Turn

PER = 100_000
"""The number of records within which `budget` limits the acts of a reaction."""


class Reaction(Protocol):
    """A reaction: an object with the parameters of one row of a task's `reactions`. It keeps nothing: what it needs is in the state.

    Attributes
    ----------
    name
        The name in the catalogue of reactions.
    changes
        Whether it changes what is served or learned: then it needs the mode `auto` to act by itself, and reacts to the champion's signals and
        those of the records alone.
    ends
        Whether no further reaction is tried after it has acted.
    """

    name: ClassVar[str]
    changes: ClassVar[bool]
    ends: ClassVar[bool]

    def find_hindrance(self, state: State, turn: Turn, signal: Signal) -> str | None:
        """Say why there is nothing to do about a signal, or why it cannot be done; None if it can. It changes nothing."""
        ...

    def act(self, state: State, turn: Turn, signal: Signal) -> str:
        """React to a signal for which there is no hindrance, and say what was done."""
        ...


class Reacting(NamedTuple):
    """One of a task's `reactions`, read.

    Parameters
    ----------
    name
        Unique in the task: its number and the reaction's name.
    reaction
        The reaction.
    on
        What it reacts to: `error`, `score`, `label_rate`, `features`, `feature:NAME`, `better`, `warning`, the name of a detector,
        `guard`, or `guard:NAME`.
    mode
        What becomes of it.
    budget
        The acts that are allowed within `PER` records.
    cooldown
        Records after an act in which it does nothing.
    """

    name: str
    reaction: Reaction
    on: tuple[str, ...]
    mode: Mode
    budget: int
    cooldown: int

    def fits(self, signal: Signal) -> bool:
        """Tell whether a signal is what it reacts to. What changes the champion does not react to what another arm does."""
        if self.reaction.changes and signal.arm not in (None, "champion"):
            return False
        return any(_fits(word, signal) for word in self.on)


def _fits(word: str, signal: Signal) -> bool:
    if signal.kind == "guard":
        return word in ("guard", f"guard:{signal.detector}")
    if signal.kind == "warning":
        return word == "warning"
    if signal.direction == "better":
        return word == "better"
    return word in (signal.watched, signal.detector) or (word == "features" and signal.watched.startswith("feature:"))
