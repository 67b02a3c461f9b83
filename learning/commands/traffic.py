"""The command `traffic`: split the questions among the arms."""

from typing import Annotated

from msgspec import Meta

from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments, Text
from headrace.learning.state import State
from headrace.learning.task import CHAMPION
from headrace.learning.turn import Turn

ROUNDING = 1e-9


class Split(Arguments, frozen=True, kw_only=True):
    """The control record `traffic`.

    Parameters
    ----------
    shares
        The share of each arm that answers, 0 to 1. What is left is the champion's.
    salt
        Splits the keys in another way than another salt.
    """

    shares: Annotated[dict[Text, Annotated[float, Meta(ge=0, le=1)]], Meta(max_length=100)]
    salt: Text = ""


def split(state: State, _turn: Turn, arguments: Split) -> str:
    """Have arms answer their shares of the questions."""
    if unknown := [name for name in arguments.shares if name not in state.arms]:
        raise Refusal(f"there is no arm '{unknown[0][:80]}'. There are: {', '.join(state.arms)}.")
    total = sum(arguments.shares.values())
    if total > 1 + ROUNDING or (CHAMPION in arguments.shares and total < 1 - ROUNDING):
        raise Refusal(f"the shares add up to {total:g}, not to 1. Leave the champion out: it answers the rest.")
    state.traffic.split(arguments.shares, arguments.salt)
    return f"traffic: {', '.join(f'{name} {share:g}' for name, share in state.traffic.describe().items())}"
