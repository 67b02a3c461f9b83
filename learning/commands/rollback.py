"""The command `rollback`: put the model of a version in the place of the champion's."""

from headrace.learning.acts.champion import find_version, go_back
from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments, Text
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Rollback(Arguments, frozen=True, kw_only=True):
    """The control record `rollback`.

    Parameters
    ----------
    to
        The id of a version; `previous`, the one before what is served now; `best`, the one with the lowest recent error; or `last_good`, the
        newest one whose recent error is close to that.
    """

    to: Text = "previous"


def rollback(state: State, turn: Turn, arguments: Rollback) -> str:
    """Save the champion, then serve and train the version's model. The metrics over all of the log go on; those of the window and the detectors start anew."""
    arm, version = state.arms["champion"], find_version(state, arguments.to)
    if version is None:
        known = ", ".join(state.versions.saved) or "none"
        raise Refusal(f"there is no version '{arguments.to[:80]}' in this shard. There are: {known}.")
    if version.digest == arm.digest:
        raise Refusal(f"the champion is {version.id} already.")
    return go_back(state, turn, version)
