"""Reacting: what detectors and guards have noticed becomes signals, and the task's reactions are tried on each."""

from headrace.learning.acts.background import compare_background
from headrace.learning.acts.champion import promote_arm
from headrace.learning.effects import Drift
from headrace.learning.errors import SnapshotError
from headrace.learning.experiments import Comparing
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.prediction import Prediction
from headrace.learning.reactions import describe
from headrace.learning.reactions.trying import tell, try_reaction
from headrace.learning.signals import Direction, Notice, Signal
from headrace.learning.state import State
from headrace.learning.task import CHAMPION, Label
from headrace.learning.turn import Turn


def react(parts: LearnerParts, turn: Turn) -> None:
    """Emit what was noticed at the current record as signals, and try the reactions on each, in the order of the task.

    What was noticed about a model that is no longer there, since it was replaced at this record, says nothing of the one that took its place.
    """
    noticed, turn.noticed = turn.noticed, []
    for notice, since in noticed:
        signal, arm = _signal(turn, notice), parts.state.arms.get(notice.arm or "")
        if notice.arm is None or (arm is not None and arm.since == since):
            signal = _try_all(parts, turn, signal)
        else:
            signal = signal._replace(action="none: the model was replaced at this record")
        parts.state.signals.append(signal)


def _signal(turn: Turn, notice: Notice) -> Signal:
    """Emit what was noticed; return it as a signal."""
    signal = Signal.of(notice, turn.next_id(), turn.message.offset, turn.clock)
    turn.emit(Drift(id=signal.id, time=turn.clock / 1000, **notice._asdict()))
    return signal


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


VERDICTS: dict[str, tuple[Direction, str]] = {
    "a_better": ("worse", "{a} is better than {b}"),
    "b_better": ("better", "{b} is better than {a}"),
    "equivalent": ("changed", "{a} and {b} are equivalent"),
    "budget_exhausted": ("changed", "{budget} labels did not tell {a} and {b} apart"),
}
"""What the verdict of an experiment says of arm b, and in words."""


def end_experiment(state: State, turn: Turn, experiment: Comparing) -> None:
    """Emit the verdict of an experiment as a signal; promote arm b where it is better than the champion, or recommend it."""
    experiment.decided_at = turn.message.offset
    direction, words = VERDICTS[experiment.verdict]
    mean_a, mean_b = experiment.means or (0.0, 0.0)
    count = experiment.difference.count
    notice = Notice(
        arm=experiment.b,
        detector="experiment",
        watched="error",
        direction=direction,
        before=mean_a,
        after=mean_b,
        width_before=count,
        width=count,
        statistic=mean_a - mean_b,
        threshold=experiment.margin,
        kind="experiment",
    )
    signal = _signal(turn, notice)
    did = words.format(a=experiment.a, b=experiment.b, budget=experiment.budget)
    arm = state.arms.get(experiment.b)
    if experiment.verdict == "b_better" and experiment.a == CHAMPION and arm is not None and arm.role == "challenger":
        did = f"{did}; {_promote(state, turn, signal, experiment)}"
    state.signals.append(signal._replace(action=did))


def _promote(state: State, turn: Turn, signal: Signal, experiment: Comparing) -> str:
    if not experiment.promotes:
        tell(state, turn, signal.id, reaction="promote", mode="recommend", did=f"recommended: promote {experiment.b}")
        what = f"the arm {experiment.b} is better than the champion, over {experiment.difference.count:,} labels."
        command = f"headrace promote {turn.shard.rpartition('/')[0]} {experiment.b}"
        turn.alert("recommended", f"{what} Recommended: {command}, for the signal {signal.id}.")
        return f"recommended: promote {experiment.b}"
    before = state.arms[CHAMPION].digest
    try:
        did = promote_arm(state, turn, experiment.b).say_promoted(experiment.b)
    except SnapshotError as reason:
        return f"not promoted: {reason}"
    tell(state, turn, signal.id, reaction="promote", mode="auto", did=did, before=before)
    return did
