"""Commands: the functions that carry out control records of the event log."""

from collections.abc import Callable

from headrace.learning.catalogue import Catalogue
from headrace.learning.commands.tick import tick
from headrace.learning.records import Control
from headrace.learning.state import State
from headrace.learning.turn import Turn

__all__ = ["COMMANDS", "Command"]

Command = Callable[[State, Turn, Control], None]
"""A function that carries out a control record: it may change the state, and emits effects through the turn."""

COMMANDS: Catalogue[Command] = Catalogue("command", {"tick": tick})
"""Each command that a control record may name, with the function that carries it out."""
