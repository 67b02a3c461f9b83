"""Reacting: what detectors and guards have noticed becomes signals, and the task's reactions are tried on each."""

from headrace.learning.acts.background import compare_background
from headrace.learning.effects import Drift
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.prediction import Prediction
from headrace.learning.reactions import describe
from headrace.learning.reactions.trying import tell, try_reaction
from headrace.learning.signals import Signal
from headrace.learning.state import State
from headrace.learning.task import Label
from headrace.learning.turn import Turn


def react(parts: LearnerParts, turn: Turn) -> None:
    """Emit what was noticed at the current record as signals, and try the reactions on each, in the order of the task."""
    noticed, turn.noticed = turn.noticed, []
    for notice in noticed:
        signal = Signal.of(notice, turn.next_id(), turn.message.offset, turn.clock)
        turn.emit(Drift(id=signal.id, time=turn.clock / 1000, **notice._asdict()))
        parts.state.signals.append(_try_all(parts, turn, signal))


def _try_all(parts: LearnerParts, turn: Turn, signal: Signal) -> Signal:
    """Try the reactions that fit, until one ends the matter or is recommended; return the signal with what was done about it."""
    did: list[str] = []
    not_done: list[str] = []
    for reacting in parts.reactings:
        if not reacting.fits(signal):
            continue
        tried = try_reaction(parts.state, turn, signal, reacting)
        (did if tried.acted else not_done).append(tried.did)
        if not tried.acted:
            continue
        if reacting.mode == "recommend":
            name = reacting.reaction.name
            turn.alert("recommended", f"{describe(signal)} Recommended: {name}, for the signal {signal.id}.")
            return signal._replace(action="; ".join(did), advised=reacting.name)
        if reacting.mode == "auto" and reacting.reaction.ends:
            break
    return signal._replace(action="; ".join(did or not_done) or "none")


def end_background(state: State, turn: Turn, predictions: dict[str, Prediction | None], label: Label) -> None:
    """Compare the champion with the challenger in the background, and tell what comes of it once that is decided."""
    signal = state.background.signal
    ended = compare_background(state, turn, predictions, label)
    if ended is not None:
        tell(state, turn, signal, reaction="background", mode="auto", did=ended.did, before=ended.before)
