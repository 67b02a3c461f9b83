"""Ticks come when something is due by the log's own time, however wrong the worker's clock is."""

import math

import pytest

from headrace.agents.log_clock import LogClock

HOUR = 3_600_000
START = 1_700_000_000_000


class IdleLog:
    """An idle log on a broker, a shard that folds it at once, and what the shard's owner does about ticks, once a second."""

    def __init__(self, *, age_ms=0, skew_ms=0):
        self.skew_ms = skew_ms  # of the worker's time of day
        self.seconds = 1000.0  # of the worker's monotonic clock, which knows nothing of the time of day
        self.broker_ms = START + age_ms
        self.position, self.stamp = 10, START
        self.clock = LogClock(self.position, lambda: self.seconds)
        self.ticks = []

    def run(self, seconds, due_at):
        for _ in range(seconds):
            self.clock.see(self.position, self.stamp)
            if self.clock.is_due(math.inf if self.stamp >= due_at else due_at, self.broker_ms + self.skew_ms):
                self.append()
                self.ticks.append(self.stamp)
            self.seconds += 1
            self.broker_ms += 1000

    def append(self):
        self.position, self.stamp = self.position + 1, self.broker_ms


def test_a_tick_comes_within_a_second_of_what_is_due_and_no_more_come():
    log = IdleLog()
    log.append()
    log.run(60, due_at=START + 30_000)
    assert log.ticks == [START + 30_000]


@pytest.mark.parametrize("age", [0, 24 * HOUR])
def test_what_waits_in_a_log_that_was_idle_at_opening_costs_one_tick_to_learn_the_time(age):
    log = IdleLog(age_ms=age, skew_ms=2 * HOUR)
    due_at = START + 24 * HOUR + 1_800_000
    log.run(3600, due_at)
    first, *later = log.ticks
    assert first == START + age
    # It was seen a second after it was stamped.
    assert later == ([due_at + 1000] if age else [])


@pytest.mark.parametrize("skew", [-HOUR, 0, HOUR])
def test_what_waits_for_days_costs_no_tick_at_opening(skew):
    """The state after a restart has the digest that it had before."""
    log = IdleLog(skew_ms=skew)
    log.run(3600, due_at=START + 7 * 24 * HOUR)
    assert log.ticks == []


def test_what_was_due_long_ago_at_opening_is_due_at_once():
    log = IdleLog(age_ms=24 * HOUR)
    log.run(10, due_at=START + HOUR)
    assert log.ticks == [START + 24 * HOUR]


def test_nothing_waits_so_nothing_is_due():
    log = IdleLog(age_ms=HOUR)
    log.run(10, due_at=-math.inf)
    assert log.ticks == []


def test_messages_that_are_read_late_set_no_clock_ahead():
    """A backlog is read after the opening: the bound is loose, and gets tight with each later message, but never ahead of the log."""
    log = IdleLog(age_ms=HOUR)
    for lag in (HOUR, HOUR // 2, 0):
        log.position, log.stamp = log.position + 1, log.broker_ms - lag
        log.clock.see(log.position, log.stamp)
        log.seconds += 5
        log.broker_ms += 5_000
        assert log.clock.now_ms <= log.broker_ms
    assert log.broker_ms - log.clock.now_ms < 1
