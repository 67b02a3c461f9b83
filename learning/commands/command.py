"""A command: what a control record may ask of a shard."""

from collections.abc import Callable
from typing import Any, NamedTuple

from headrace.learning.state import State
from headrace.learning.turn import Turn


class Command(NamedTuple):
    """One command.

    Parameters
    ----------
    arguments
        What its control record may have.
    act
        Carries it out, and says what it did; raises `Refusal` before it has changed anything.
    """

    arguments: type[Any]
    act: Callable[[State, Turn, Any], str]
