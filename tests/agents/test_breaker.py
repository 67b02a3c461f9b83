"""A shard that a breaker has paused goes on by itself."""

import asyncio
import json

import pytest

from headrace.agents.breaker import AGAIN_SECONDS, Breaker
from headrace.agents.lookahead import Waiting
from headrace.learning.fold.learner import Learner
from headrace.learning.reactions import BREAKER
from headrace.learning.task import Guard, LabelRate, Task

PAUSED = Waiting("resume", f"{BREAKER}7/0")


class Appended:
    """A log that keeps what is appended to it."""

    def __init__(self):
        self.records = []

    async def append(self, partition, value, timestamp):
        self.records.append((partition, json.loads(value), timestamp))


def after(seconds, waiting=PAUSED, now=0.0, label_rate=None, breaker=None):
    """What is appended for a shard that has waited for so long."""
    guard = Guard(label_rate=LabelRate(wait="1m") if label_rate is None else label_rate)
    breaker = breaker or Breaker(Appended(), 2, lambda: now)
    learner = Learner(Task(name="ads", kind="binary", guard=guard), 2)
    asyncio.run(breaker.resume_if_due(learner, waiting, seconds))
    return breaker.log.records


def test_it_writes_a_resume_once_the_time_is_over():
    assert after(59.9) == []
    assert after(60.0) == [(2, {"control": "resume", "by": "headrace"}, 0)]


@pytest.mark.parametrize("waiting", [None, Waiting("outcome", "j-1"), Waiting("resume", "c-1")])
def test_it_leaves_a_shard_alone_that_an_operator_or_a_job_holds(waiting):
    assert after(1e9, waiting) == []


def test_a_pause_without_the_guard_ends_after_the_guards_default_too():
    assert after(1e9, label_rate=False) != []


def test_it_does_not_repeat_itself_while_the_resume_is_on_its_way():
    now = [100.0]
    breaker = Breaker(Appended(), 2, lambda: now[0])
    for seconds, expected in ((0.0, 1), (AGAIN_SECONDS / 2, 1), (AGAIN_SECONDS / 2, 2)):
        now[0] += seconds
        assert len(after(60.0, breaker=breaker)) == expected
