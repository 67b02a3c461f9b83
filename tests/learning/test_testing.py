"""What `headrace.testing` gives to those who test a task or a model of their own."""

import json

import msgspec
import pytest
import users_models

from headrace import Task, digest, testing
from headrace.learning.effects import Predicted, Quarantined, Resolved
from headrace.learning.errors import SnapshotError
from headrace.tables.kafka.partitioner import partition_of
from headrace.testing import MemoryLog, random_records

KINDS = ("binary", "multiclass", "regression")


def filled(count=40, **more):
    log = MemoryLog(Task(**({"name": "ads", "kind": "binary", "predictions": True} | more)))
    for record in random_records(log.task, count):
        log.append(record)
    return log


def with_questions(**more):
    """A log whose labels come five messages after their questions, the last ones not at all."""
    log = MemoryLog(Task(name="ads", kind="binary", predictions=True, **more))
    for number, record in enumerate(random_records(log.task, 40)):
        rows = [{"id": f"q{number}", "features": record["features"]}]
        if number >= 5:
            rows.append({"id": f"q{number - 5}", "label": record["label"]})
        log.append(*rows, timestamp=number * 1000)
    return log


def test_everything_is_documented():
    for name in testing.__all__:
        assert getattr(testing, name).__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_random_records_are_let_through_and_hold_no_none(kind):
    log = filled(200, kind=kind)
    assert not [effect for effect in log.fold().effects if isinstance(effect, Quarantined)]
    values = [v for record in random_records(log.task, 200) for v in record["features"].values()]
    assert {type(value) for value in values} == {bool, int, float, str}


def test_a_log_folds_to_any_position():
    log = filled()
    assert [log.fold(to=position).learner.state.updates for position in (0, 1, 17, 40)] == [0, 1, 17, 40]
    assert log.fold(to=17).digest != log.fold().digest == log.fold().digest
    assert log.fold().digest == digest(log.fold().learner.state)


def test_what_is_folded_has_its_effects_in_order():
    effects = with_questions().fold().effects
    assert [type(effect) for effect in effects[:7]] == [Predicted] * 6 + [Resolved]
    assert effects[6].record == "q0"
    assert effects[6].delay_s == 5.0


def test_a_fold_goes_on_from_a_snapshot_of_any_position():
    log = with_questions()
    for position in range(41):
        snapshot = log.fold(to=position).snapshot()
        assert log.fold(snapshot=snapshot).digest == log.fold().digest
        assert log.fold(snapshot=snapshot, to=position).learner.state.position == position


def test_a_snapshot_of_another_run_is_taken_up_with_what_waits():
    """The entries of the join are not in a snapshot: a log that has not folded so far must find them by itself."""
    snapshot = with_questions().fold(to=20).snapshot()
    assert with_questions().fold(snapshot=snapshot).digest == with_questions().fold().digest


def test_a_snapshot_of_another_log_is_refused():
    snapshot = filled().fold().snapshot()
    with pytest.raises(ValueError, match="of another log"):
        with_questions().fold(snapshot=snapshot)
    with pytest.raises(ValueError, match="of another log"):
        filled(39).fold(snapshot=snapshot)
    with pytest.raises(SnapshotError):
        filled(partitions=2).fold(1, snapshot=snapshot)


def test_keys_decide_the_partition_and_rows_without_a_key_take_turns():
    log = MemoryLog(Task(name="ads", kind="binary", partitions=3))
    sample = {"features": {"x": 1.0}, "label": True}
    assert log.append(sample, key="user-1") == (partition_of("user-1", 3), 0)
    assert [log.append(sample, partition=2)[0], log.append(sample, key="user-1", partition=0)[0]] == [2, 0]
    assert [log.append(sample)[0] for _ in range(4)] == [0, 1, 2, 0]
    assert sum(log.fold(partition).learner.state.updates for partition in range(3)) == 7
    assert log.messages[partition_of("user-1", 3)][0].key == b"user-1"


def test_time_passes_by_timestamps_and_stands_still_without():
    log = MemoryLog(Task(name="ads", kind="binary", wait="10s"))
    log.append({"id": "q", "features": {"x": 1.0}}, timestamp=1_000)
    log.append(b'{"control": "tick"}')
    assert log.fold().learner.state.clock == 1_000
    assert log.fold().learner.join.describe()["waiting"] == 1
    log.append({"control": "tick"}, timestamp=20_000)
    assert log.fold().learner.join.describe()["waiting"] == 0


def test_several_records_are_the_rows_of_one_message():
    log = MemoryLog(Task(name="ads", kind="binary"))
    log.append({"features": {"x": 1.0}, "label": True}, b'{"features": {"x": 2.0}, "label": "maybe"}', b"{")
    folded = log.fold()
    assert (folded.learner.state.updates, folded.learner.state.position) == (1, 1)
    assert [(effect.row, effect.code) for effect in folded.effects] == [(1, "label"), (2, "not_json")]


@pytest.mark.parametrize("order", ["arrival", "event_time"])
def test_restarts_are_checked_and_change_nothing(order):
    with_questions(order=order).check_restarts()
    filled(order=order, model="naive_bayes").check_restarts(every=5)


def test_a_model_that_does_not_survive_a_restart_is_noticed(monkeypatch):
    """The mutant: a model that goes on from what is none of its attributes."""
    monkeypatch.setattr(users_models.Hidden, "seen", {})
    log = filled(model="users_models:Hidden")
    with pytest.raises(AssertionError, match="a restart at position 1 of partition 0 changes the state"):
        log.check_restarts()
    monkeypatch.setattr(users_models.Hidden, "learn_one", users_models.Half.learn_one)
    log.check_restarts(every=7)


def test_a_frame_is_appended_row_by_row_to_the_partition_of_its_key():
    log = MemoryLog(Task(name="ads", kind="binary", partitions=3))
    rows = [{"x": n / 3, "n": f"r{n}", "who": f"u{n % 5}", "label": n % 2} for n in range(30)]
    sent = log.send([*rows, {"x": 1.0, "n": "r30", "who": "u1"}], id="n", key="who", timestamp=5_000)
    assert [one.row for one in sent.reasons] == [30]
    assert sent.positions == {number: len(messages) for number, messages in enumerate(log.messages)}
    placed = [(number, message) for number, messages in enumerate(log.messages) for message in messages]
    assert len(placed) == sent.appended == 30
    for partition, message in placed:
        assert partition == partition_of(message.key.decode(), 3)
        row = rows[int(json.loads(message.value)["id"][1:])]
        record = {"id": row["n"], "features": {"x": row["x"]}, "label": row["label"] == 1}
        assert (message.value, message.timestamp) == (msgspec.json.encode(record), 5_000)


def test_models_have_the_digests_of_what_they_learned_and_not_of_where():
    log, other = filled(), MemoryLog(Task(name="ads", kind="binary"))
    other.append({"features": {"x": 1.0}, "label": "refused"})
    for record in random_records(log.task, 40):
        other.append(record, timestamp=7)
    assert log.fold().models == other.fold().models
    assert log.fold().digest != other.fold().digest
    assert log.fold().models != log.fold(to=39).models
