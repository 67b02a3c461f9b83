"""Commands: what a control record of the event log may ask for."""

from collections.abc import Callable

from headrace.learning.catalogue import Catalogue
from headrace.learning.commands.tick import tick
from headrace.learning.records import Control
from headrace.learning.state import State
from headrace.learning.turn import Turn

__all__ = ["COMMANDS", "Command"]

Command = Callable[[State, Turn, Control], None]
"""Carries out a control record: it may change the state, and has effects through the turn."""

COMMANDS: Catalogue[Command] = Catalogue("command", {"tick": tick})
"""Each command that a control record may name, with the function that carries it out."""
