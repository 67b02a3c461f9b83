"""Measures all metrics of all arms when a point of the history is due."""

from headrace.learning.effects import ArmMeasured, Measured
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.weigh import measure_experiments, weigh
from headrace.learning.turn import Turn


def measure(parts: LearnerParts, turn: Turn) -> None:
    """Emit a point for each ring that is due one. A fold whose effects nobody publishes does not read the metrics, which takes milliseconds."""
    state = parts.state
    slots = state.rings.take(state.updates, state.clock)
    if not slots or not parts.measures:
        return
    delays = parts.join.label_delays()
    arms = {name: arm.scoreboard for name, arm in state.arms.items()}
    measured = {
        name: ArmMeasured(board.scored, board.figures(), board.recent_figures()) for name, board in arms.items()
    }
    evidence, experiments = weigh(state), measure_experiments(state)
    for ring, number in slots:
        turn.emit(
            Measured(
                id=turn.next_id(),
                ring=ring,
                number=number,
                partition=parts.partition,
                position=turn.message.offset,
                updates=state.updates,
                time=state.clock / 1000,
                label_delay_s=delays,
                arms=measured,
                evidence=evidence,
                experiments=experiments,
            )
        )
