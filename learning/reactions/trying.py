"""Trying a reaction: within its budget, with the effect that tells what it did."""

from typing import NamedTuple

from headrace.learning.acts.refusal import Refusal
from headrace.learning.effects import Reacted
from headrace.learning.errors import SnapshotError
from headrace.learning.reactions.reaction import PER, Reacting
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.task import Mode
from headrace.learning.turn import Turn

MODES = {"shadow": "would be tried", "recommend": "recommended"}
"""What is said of a reaction that does not act by itself."""


class Tried(NamedTuple):
    """What a reaction did or would do, or why it does nothing; and whether it is the former."""

    did: str
    acted: bool


def try_reaction(state: State, turn: Turn, signal: Signal, reacting: Reacting) -> Tried:
    """Have a reaction act on a signal, if its budget allows it and nothing hinders it; and tell of it. In another mode than `auto` it only tells.

    What is recommended, or would be tried, counts for the budget and the cool-down as an act does.
    """
    name = reacting.reaction.name
    if fault := _over_budget(state, reacting):
        return Tried(f"{name} not tried: {fault}", acted=False)
    if reacting.mode == "auto":
        tried = carry_out(state, turn, signal, reacting)
    elif hindrance := reacting.reaction.find_hindrance(state, turn, signal):
        tried = Tried(f"{name} declined: {hindrance}", acted=False)
    else:
        tried = Tried(f"{MODES[reacting.mode]}: {name}", acted=True)
        tell(state, turn, signal.id, reaction=name, mode=reacting.mode, did=tried.did)
    if tried.acted and reacting.reaction.changes:
        state.acts.setdefault(reacting.name, []).append(state.step)
    return tried


def carry_out(state: State, turn: Turn, signal: Signal, reacting: Reacting) -> Tried:
    """Have a reaction act on a signal, whatever its mode and its budget, if nothing hinders it; and tell of it."""
    reaction = reacting.reaction
    if hindrance := reaction.find_hindrance(state, turn, signal):
        return Tried(f"{reaction.name} declined: {hindrance}", acted=False)
    before = state.arms["champion"].digest if reaction.changes else ""
    try:
        did = reaction.act(state, turn, signal)
    except (Refusal, SnapshotError) as reason:
        return Tried(f"{reaction.name} declined: {reason}", acted=False)
    tell(state, turn, signal.id, reaction=reaction.name, mode=reacting.mode, did=did, before=before)
    return Tried(did, acted=True)


def tell(
    state: State, turn: Turn, signal: str, *, reaction: str, mode: Mode, did: str, before: str | None = None
) -> None:
    """Emit what a reaction did, or would do.

    Parameters
    ----------
    state, turn
        Of the fold.
    signal
        The id of the signal.
    reaction, mode, did
        The reaction's name, its mode, and what it did.
    before
        The digest of the champion before it; empty if it changes nothing; None if it was not carried out.
    """
    turn.emit(
        Reacted(
            id=turn.next_id(),
            signal=signal,
            reaction=reaction,
            mode=mode,
            acted=before is not None,
            did=did,
            before=before or "",
            after=state.arms["champion"].digest if before else "",
            time=turn.clock / 1000,
        )
    )


def _over_budget(state: State, reacting: Reacting) -> str | None:
    """Say why a reaction may not act now, and forget its acts of long ago; None if it may."""
    acts = [step for step in state.acts.get(reacting.name, ()) if step > state.step - PER]
    if not acts:
        state.acts.pop(reacting.name, None)
        return None
    state.acts[reacting.name] = acts
    if len(acts) >= reacting.budget:
        return f"it has acted {len(acts)} times within {PER:,} records"
    if state.step - acts[-1] < reacting.cooldown:
        return f"it acted {state.step - acts[-1]} records ago"
    return None
