"""The command `pin`: keep a version for good, or no longer."""

from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments, Text
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Pin(Arguments, frozen=True, kw_only=True):
    """The control record `pin`.

    Parameters
    ----------
    version
        The id.
    pinned
        Whether it is kept for good; with False it may be dropped as others are.
    """

    version: Text
    pinned: bool = True


def pin(state: State, _turn: Turn, arguments: Pin) -> str:
    """Mark a version, so that it is never dropped."""
    if arguments.version not in state.versions.saved:
        raise Refusal(f"there is no version '{arguments.version[:80]}' in this shard.")
    state.versions.pin(arguments.version, pinned=arguments.pinned)
    return f"{'pinned' if arguments.pinned else 'unpinned'} {arguments.version}"
