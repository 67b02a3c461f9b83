"""The command `checkpoint`: save the champion as a version now."""

from headrace.learning.acts.champion import save_version
from headrace.learning.control_record import Arguments
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Checkpoint(Arguments, frozen=True, kw_only=True):
    """The control record `checkpoint`.

    Parameters
    ----------
    pin
        Whether the version is kept for good.
    """

    pin: bool = False


def checkpoint(state: State, turn: Turn, arguments: Checkpoint) -> str:
    """Save the champion as a version, unless it is one as it stands."""
    version = save_version(state, turn, "checkpoint")
    if arguments.pin:
        state.versions.pin(version.id, pinned=True)
    return f"saved {version.id}"
