"""The command `react`: carry out a reaction that was recommended."""

from headrace.learning.acts.refusal import Refusal
from headrace.learning.control_record import Arguments, Text
from headrace.learning.reactions import reactings
from headrace.learning.reactions.trying import carry_out
from headrace.learning.state import State
from headrace.learning.turn import Turn


class React(Arguments, frozen=True, kw_only=True):
    """The control record `react`.

    Parameters
    ----------
    signal
        The id of the signal for which a reaction was recommended.
    """

    signal: Text


def react(state: State, turn: Turn, arguments: React) -> str:
    """Carry out the reaction that was recommended for a signal. It has counted for its budget when it was recommended."""
    place = next((at for at, one in enumerate(state.signals) if one.id == arguments.signal), None)
    if place is None:
        raise Refusal(f"there is no signal '{arguments.signal[:80]}' among the last of this shard.")
    signal = state.signals[place]
    reacting = next((one for one in reactings(state.task) if one.name == signal.advised), None)
    if reacting is None:
        raise Refusal(f"no reaction is recommended for {signal.id}, or none any more.")
    tried = carry_out(state, turn, signal, reacting)
    if not tried.acted:
        raise Refusal(tried.did)
    state.signals[place] = signal._replace(action=f"{signal.action}; {tried.did}", advised=None)
    return tried.did
