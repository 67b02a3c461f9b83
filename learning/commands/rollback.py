"""The command `rollback`: put the model of a version in the place of the champion's."""

from headrace.learning.acts.champion import go_back
from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments, Text
from headrace.learning.state import State
from headrace.learning.turn import Turn
from headrace.learning.versions import Version


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
    """Save the champion, then serve and train the version's model. The metrics go on; the detectors start anew."""
    arm, version = state.arms["champion"], _find(state, arguments.to)
    if version.digest == arm.digest:
        raise Refusal(f"the champion is {version.id} already.")
    return go_back(state, turn, version)


def _find(state: State, to: str) -> Version:
    """Choose the version that is meant; Refusal if there is none."""
    versions, arm = state.versions, state.arms["champion"]
    if to in versions.saved:
        return versions.saved[to]
    found = None
    if to == "best":
        found = versions.best()
    elif to == "last_good":
        found = versions.last_good()
    elif to == "previous":
        found = versions.saved.get(arm.version or "")
        if found is not None and found.digest == arm.digest:
            found = versions.saved.get(found.parent or "")
    if found is None:
        known = ", ".join(versions.saved) or "none"
        raise Refusal(f"there is no version '{to[:80]}' in this shard. There are: {known}.")
    return found
