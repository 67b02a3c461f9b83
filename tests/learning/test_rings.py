"""The points of the history: when they are due, in which slots, and that they are the same whoever folds the log, and how often."""

import random
from itertools import pairwise

import msgspec
import pytest

from headrace.learning import rings as module
from headrace.learning.effects import Measured
from headrace.learning.fold.recipe_fold import RecipeFold
from headrace.learning.fold.weigh import FEATURES_MAX, measure_experiments, weigh
from headrace.learning.recipe import Recipe
from headrace.learning.records.message import Message
from headrace.learning.rings import HOUR, LABELS_MAX, MINUTE, SIZES, Rings
from headrace.learning.snapshot import digest
from headrace.learning.task import ArmSettings, Task, Update
from headrace.tables.history import read_point
from headrace.testing import MemoryLog, random_records

KINDS = ["binary", "multiclass", "regression"]


@pytest.fixture
def eager(monkeypatch):
    """Points come often, so that a short log has many."""
    monkeypatch.setattr(module, "LABELS_MIN", 5)
    monkeypatch.setattr(module, "MINUTE_LABELS", 3)


def log_of(kind, count=60, step=20_000, **task):
    """A log of samples, some of them as questions whose labels come later, and of messages of several rows."""
    task, dice = Task(name="ads", kind=kind, **task), random.Random(kind)
    log, clock, waiting = MemoryLog(task), 1_700_000_000_000, []
    for number, record in enumerate(random_records(task, count)):
        clock += dice.choice([0, step, step, 40 * step])
        if number % 3 == 0:
            waiting.append({"id": str(number), "label": record.pop("label")})
            record["id"] = str(number)
        rows = [record]
        if waiting and dice.random() < 0.5:
            rows.append(waiting.pop(0))
        log.append(*rows, timestamp=clock)
    return log


def points(effects):
    return [effect for effect in effects if isinstance(effect, Measured)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_points_are_the_same_after_a_restart_at_any_record(kind, eager):
    log = log_of(kind)
    measured = points(log.fold().effects)
    assert {point.ring for point in measured} == set(SIZES)
    log.check_restarts()


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_has_the_metrics_that_the_status_had_at_its_position(kind, eager):
    log = log_of(kind)
    measured = points(log.fold().effects)
    for point in measured:
        learner = log.fold(to=point.position + 1).learner
        if learner.state.updates != point.updates:
            continue  # another row of the message was learned after it
        described = learner.describe()
        assert point.label_delay_s == described["questions"]["label_delay_s"]
        assert point.time == learner.state.clock / 1000
        for name, arm in described["arms"].items():
            assert point.arms[name].window == arm["metrics"].pop("window")
            assert point.arms[name].metrics == arm["metrics"]
    assert measured[-1].arms["champion"].scored > 20


def watched_log():
    """A log of a task with a detector and guards that compute evidence, and an experiment."""
    arms = {"tree": ArmSettings(model="hoeffding_tree")}
    task = Task(name="ads", kind="binary", detectors=[{"use": "evidence", "between": 2_000}], arms=arms)
    log, dice = MemoryLog(task), random.Random(7)
    for number in range(1_500):
        x = dice.gauss(0, 1)
        log.append({"features": {"x": x, "bias": 1.0}, "label": (x > 0) != (number > 1_200)}, timestamp=number)
    return log


def test_a_point_has_the_evidence_and_the_bounds_of_its_moment():
    log = watched_log()
    measured = points(log.fold().effects)
    for point in measured[::4]:
        state = log.fold(to=point.position + 1).learner.state
        assert (point.evidence, point.experiments) == (weigh(state), measure_experiments(state))
    names = {(one.arm, one.detector) for one in measured[-1].evidence}
    assert {("champion", "evidence"), ("champion", "below_baseline, no_change")} <= names
    shares = [
        one.statistic / one.threshold for point in measured for one in point.evidence if one.detector == "evidence"
    ]
    assert 0 == shares[0] < max(shares) <= 1
    (experiment,) = measured[-1].experiments
    assert (experiment.a, experiment.b) == ("champion", "tree")
    assert -1 <= experiment.low < experiment.difference < experiment.high <= 1
    widths = [one.high - one.low for point in measured for one in point.experiments]
    assert widths == sorted(widths, reverse=True)
    log.check_restarts(every=400)


def test_a_point_has_the_evidence_of_the_features_with_the_most_of_it():
    rows = [
        {"use": "ks", "watch": ["features", "label_rate"], "window": 120},
        {"use": "page_hinkley", "watch": "score"},
    ]
    log, dice = MemoryLog(Task(name="ads", kind="regression", detectors=rows)), random.Random(7)
    for number in range(360):
        features = {f"f{at}": dice.gauss(at == 30 and number >= 200, 1) for at in range(40)}
        log.append({"features": features, "label": dice.random()}, timestamp=number)
    measured = points(log.fold().effects)
    before, after = ([one for one in measured[at].evidence if one.watched != "error"] for at in (0, -1))
    assert [one.watched for one in before] == ["score"]  # the first window is the reference
    assert [(one.arm, one.watched) for one in after[:2]] == [("champion", "score"), (None, "label_rate")]
    features = after[2:]
    assert len(features) == FEATURES_MAX
    assert {(one.arm, one.detector) for one in features} == {(None, "ks")}
    given = [one.statistic / one.threshold for one in features]
    assert given == sorted(given, reverse=True)
    log.check_restarts(every=90)


def test_a_point_of_an_earlier_release_is_read_without_evidence():
    (point, *_) = points(watched_log().fold(to=200).effects)
    earlier = msgspec.to_builtins(point)
    del earlier["evidence"], earlier["experiments"]
    assert read_point(msgspec.json.encode(earlier)) == msgspec.structs.replace(point, evidence=[], experiments=[])


def test_labels_that_are_learned_in_batches_are_measured_too(eager):
    log = log_of("binary", update=Update(batch=10))
    measured = points(log.fold().effects)
    assert {point.updates % 10 for point in measured} == {0}
    log.check_restarts(every=7)


def test_a_question_teaches_nothing_and_makes_no_point(eager):
    log = MemoryLog(Task(name="ads", kind="binary"))
    for number in range(50):
        log.append({"id": str(number), "features": {"x": 1.0}}, timestamp=number * HOUR)
    assert points(log.fold().effects) == []


def slots_of(rings, steps):
    """The slots that rings take, by ring, as (updates, clock) go by."""
    taken = {ring: [] for ring in SIZES}
    for updates, clock in steps:
        for slot in rings.take(updates, clock):
            taken[slot.ring].append((slot.number, updates, clock))
    return taken


def test_points_by_labels_thin_out_as_a_shard_grows_to_one_in_so_many():
    taken = slots_of(Rings(), ((updates, 0) for updates in range(1_000_000)))
    assert [number for number, _, _ in taken["labels"]] == list(range(len(taken["labels"])))
    gaps = [after - before for (_, before, _), (_, after, _) in pairwise(taken["labels"])]
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1]) == (100, LABELS_MAX)
    assert len(gaps) < 120
    assert taken["minutes"] == taken["hours"] == []


def test_in_slow_time_each_hour_with_a_label_has_a_point_and_each_that_has_none_has_not():
    labels = [(number + 1, (number * 7 + 3) * HOUR // 3) for number in range(60)]
    taken = slots_of(Rings(), labels)
    assert [clock for _, _, clock in taken["hours"]] == [clock for _, clock in labels[1:]]
    assert taken["minutes"] == []
    assert slots_of(Rings(), [(1, at * HOUR) for at in range(1, 50)])["hours"] == [(0, 1, 2 * HOUR)]


def test_in_fast_time_there_are_no_more_points_by_minutes_than_labels_allow():
    taken = slots_of(Rings(), ((updates, 1 + updates * MINUTE) for updates in range(10_000)))
    assert len(taken["minutes"]) == 9_999 // module.MINUTE_LABELS
    steady = slots_of(Rings(), ((updates, 1 + updates * 50) for updates in range(60_000)))  # 1,200 labels a minute
    assert len(steady["minutes"]) == 49
    assert all(after - before == MINUTE for (_, _, before), (_, _, after) in pairwise(steady["minutes"]))


def test_a_clock_that_stands_still_is_no_obstacle():
    assert slots_of(Rings(), [(0, 0), (99, 0), (100, 0), (199, 0), (200, 0)])["labels"] == [(0, 100, 0), (1, 200, 0)]


def test_a_job_measures_nothing_and_a_fold_of_the_same_records_keeps_its_state(eager):
    log = log_of("binary")
    made = RecipeFold(log.task, 0, Recipe(why="retrain"))
    effects = [effect for message in log.messages[0] for some in made.fold(message) for effect in some]
    assert points(effects) == []
    quiet = log.fold(to=0).learner
    quiet.measures = False
    assert points(effect for message in log.messages[0] for some in quiet.fold(message) for effect in some) == []
    assert digest(quiet.state) == digest(log.fold().learner.state)


def test_a_rollback_or_another_definition_leaves_the_points_in_order(eager):
    log = MemoryLog(Task(name="ads", kind="binary"))
    for number, record in enumerate(random_records(log.task, 40)):
        log.append(record, timestamp=number * HOUR // 7)
        if number == 15:
            log.append({"control": "checkpoint", "id": "c"})
        if number == 25:
            log.append({"control": "rollback", "to": "previous", "id": "r"})
    measured = points(log.fold().effects)
    assert [point.updates for point in measured] == sorted(point.updates for point in measured)
    for ring in SIZES:
        numbers = [point.number for point in measured if point.ring == ring]
        assert numbers == list(range(len(numbers)))
    log.check_restarts(every=5)


def test_a_point_is_for_any_message_even_one_that_is_refused(eager):
    log = MemoryLog(Task(name="ads", kind="binary"))
    log.append({"features": {"x": 1.0}, "label": True}, timestamp=1)
    log.append(b"{", timestamp=HOUR)
    (point,) = points(log.fold().effects)
    assert (point.id, point.position, point.updates, point.ring) == ("ads/0/1/0/1", 1, 1, "hours")
    assert isinstance(log.messages[0][1], Message)
