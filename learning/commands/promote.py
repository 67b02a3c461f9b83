"""The command `promote`: serve another arm."""

from headrace.learning.acts.champion import promote_arm
from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments, Text
from headrace.learning.state import State
from headrace.learning.turn import Turn


class Promote(Arguments, frozen=True, kw_only=True):
    """The control record `promote`.

    Parameters
    ----------
    arm
        The name of the challenger.
    """

    arm: Text = "next"


def promote(state: State, turn: Turn, arguments: Promote) -> str:
    """Save the champion, then let the challenger take its place, and save that too. One of the settings changes places with it."""
    challenger = state.arms.get(arguments.arm)
    if challenger is None or challenger.role != "challenger":
        others = ", ".join(name for name, arm in state.arms.items() if arm.role == "challenger")
        raise Refusal(f"there is no challenger '{arguments.arm[:80]}'. There are: {others or 'none'}.")
    return promote_arm(state, turn, arguments.arm).say_promoted(arguments.arm)
