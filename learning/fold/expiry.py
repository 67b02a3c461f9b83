"""Expiry: handles everything that was due at the current log time, before the next record is handled."""

import math
from collections.abc import Iterator

from headrace.learning.effects import Effect
from headrace.learning.fold.event_time import settle
from headrace.learning.fold.learn import learn_collected
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.resolve import emit_resolved, learn_question, resolve
from headrace.learning.task import Unanswered
from headrace.learning.turn import Origin, Turn
from headrace.learning.waiting.join import WaitingQuestion


def pass_time(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Do what was due at the current log time, in this order: handle held records, let entries expire, learn collected labels."""
    state = parts.state
    if parts.order is not None and (parts.order.due_at or math.inf) <= state.clock:
        parts.order.wait_no_longer()
    yield from settle(parts, turn)
    for step, record_id, entry in parts.join.expire(state.step + 1, state.clock):
        yield turn.take()
        if isinstance(entry, WaitingQuestion):
            give_up(parts, turn, step, record_id, entry)
        else:
            turn.held = Origin(*entry.origin)
            turn.refuse("orphan", "no question with this id came while the label waited.")
            turn.held = None
        yield from learn_collected(parts, turn)
    yield turn.take()


def give_up(parts: LearnerParts, turn: Turn, step: int, record_id: str, question: WaitingQuestion) -> None:
    """Drop a question, asked at a step, whose label did not come, or learn from it, as the task's `unanswered` says."""
    policy, delay = parts.task.unanswered, parts.state.clock - question.time
    if isinstance(policy, Unanswered) and not parts.state.is_forgotten(record_id, question.time):
        if policy.assume is not None:
            resolve(parts, turn, record_id, question, policy.assume, step=step, delay=delay, how="assumed")
            return
        frozen = question.predictions.get("champion")
        assert policy.self_train is not None
        if frozen is not None and isinstance(frozen[1], dict) and frozen[1].get(frozen[0], 0.0) >= policy.self_train:
            emit_resolved(parts, turn, record_id, "self_trained", label=frozen[0], delay=delay)
            learn_question(parts, turn, record_id, question.features, frozen[0])
            return
    emit_resolved(parts, turn, record_id, "expired", label=None, delay=delay)
