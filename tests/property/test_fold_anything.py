"""Whatever is in the log and whatever the task's policies, the fold goes on, and goes on equally from any snapshot."""

from unittest import mock

import hypothesis.strategies as st
from hypothesis import given, settings
from random_logs import fold, logs, supplies
from thorough import some

from headrace.learning.fold.learner import Learner
from headrace.learning.snapshot import digest, seal, unseal
from headrace.learning.supplies import InMemory


@mock.patch("headrace.learning.arms.quantile_cutoff.EVERY", 3)  # the logs are short
@given(logs(), st.data())
@settings(max_examples=some(300, of=10), deadline=None)
def test_any_log_is_folded_to_its_end_under_any_policies_and_from_any_snapshot(log, data):
    task, messages = log
    middle = data.draw(st.integers(0, len(messages)))
    given = supplies(InMemory(), task.kind)
    learner = Learner(task, 0, supplies=given)
    fold(learner, messages[:middle])
    sealed = seal(learner.state, task, 0, writer="test")
    told = fold(learner, messages[middle:])
    assert learner.state.position == messages[-1].offset + 1
    # The entries of the whole fold are there, as after a crash: those of steps that are still to come must not be seen.
    again = Learner(task, 0, unseal(sealed, task, 0), learner.join.pending, given)
    assert fold(again, messages[middle:]) == told
    assert digest(again.state) == digest(learner.state)
    seal(learner.state, task, 0, writer="test")
