"""A history is learned by the same checks, policies and metrics as a log."""

import json
import random

import pytest

from headrace.learning.fold.history import HistoryFold
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.task import Task, Unanswered, Update


def rows(count, seed=1):
    dice = random.Random(seed)
    for at in range(count):
        x = dice.gauss(0, 1)
        yield {"features": {"x": x, "c": dice.choice("ab")}, "label": x > 0, "time": 1_000.0 + at}


def learn(task, records):
    made, refused = HistoryFold(task), []
    for record in records:
        refused += made.learn(json.dumps(record).encode())
    return made, refused + made.end()


@pytest.mark.parametrize("update", [None, Update(batch=7)])
def test_it_learns_what_the_fold_of_a_log_learns(update):
    task = Task(name="ads", kind="binary", update=update)
    made, refused = learn(task, rows(105))
    learner = Learner(task, 0)
    for at, record in enumerate(rows(105)):
        for _ in learner.fold(Message(at, json.dumps(record).encode(), timestamp=round(record["time"] * 1000))):
            pass
    assert made.champion.updates == learner.champion.updates == 105
    assert made.champion.digest == learner.champion.digest
    assert made.champion.scoreboard.figures() == learner.champion.scoreboard.figures()
    assert refused == []


def test_rows_out_of_order_are_learned_by_event_time_to_the_last_one():
    task = Task(name="ads", kind="binary", order="event_time", lateness="10s")
    records = list(rows(100))
    mixed = sorted(records, key=lambda record: record["time"] + random.Random(record["time"]).uniform(0, 9))
    assert mixed != records
    made, refused = learn(task, mixed)
    straight, _ = learn(task, records)
    assert made.champion.updates == 100
    assert made.champion.digest == straight.champion.digest
    assert refused == []


def test_labels_that_come_later_are_joined_and_those_that_never_come_follow_the_policy():
    task = Task(name="ads", kind="binary", wait="5s", unanswered=Unanswered(assume=False))
    asked = [{"id": f"q{at}", "features": {"x": float(at)}, "time": 1_000.0 + at} for at in range(20)]
    labels = [{"id": f"q{at}", "label": True, "time": 1_002.0 + at} for at in range(10)]
    made, _ = learn(task, sorted(asked + labels, key=lambda record: record["time"]))
    assert made.champion.updates == 10 + 5, "ten labels, and five questions whose wait is over"
    assert made.state.join is not None


def test_what_a_log_quarantines_is_refused_with_its_reason():
    task = Task(name="ads", kind="binary")
    wrong = [
        b"nonsense",
        b'{"features": {"x": 1}, "label": "maybe"}',
        b'{"features": {"x": 1}, "label": true, "time": 1e300}',
        b'{"label": true}',
        b"[" * 100_000,
    ]
    made = HistoryFold(task)
    refused = [made.learn(row) for row in wrong]
    assert [len(one) for one in refused] == [1] * len(wrong)
    assert made.state.clock == 0, "a row that is refused moves no time"
    assert made.champion.updates == 0


def test_control_records_have_no_effect():
    made, _ = learn(Task(name="ads", kind="binary"), [*rows(10), {"control": "rollback", "to": "previous"}])
    plain, _ = learn(Task(name="ads", kind="binary"), rows(10))
    assert made.champion.digest == plain.champion.digest


def test_another_pass_goes_on_with_the_model_and_counts_anew():
    task = Task(name="ads", kind="binary")
    made, _ = learn(task, rows(50))
    made.begin_again()
    assert (made.champion.updates, made.champion.scoreboard.scored, made.state.position) == (50, 0, 0)
    for record in rows(50):
        made.learn(json.dumps(record).encode())
    made.end()
    twice, _ = learn(task, [*rows(50), *rows(50)])
    assert made.champion.digest == twice.champion.digest
    assert (made.champion.updates, made.champion.scoreboard.scored) == (100, 50)
