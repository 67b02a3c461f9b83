"""Questions whose labels come later: every metric equals, to the last bit, River's own delayed progressive validation."""

import datetime as dt
import itertools
import json
import random
from types import SimpleNamespace

import pytest
from river import datasets, evaluate, linear_model, metrics, naive_bayes, optim, preprocessing, stream, tree
from thorough import IS_THOROUGH

from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task

MODELS = {
    "logistic": ("binary", datasets.Phishing, lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005))),
    "naive_bayes": ("binary", datasets.Bananas, naive_bayes.GaussianNB),
    "hoeffding_tree": ("multiclass", datasets.ImageSegments, tree.HoeffdingTreeClassifier),
    "linear": ("regression", datasets.TrumpApproval, lambda: preprocessing.StandardScaler() | linear_model.LinearRegression()),
}  # fmt: skip
METRICS = {
    "binary": {"accuracy": metrics.Accuracy, "log_loss": metrics.LogLoss, "f1": metrics.F1},
    "multiclass": {"accuracy": metrics.Accuracy, "log_loss": metrics.CrossEntropy, "f1": metrics.MacroF1},
    "regression": {"mae": metrics.MAE, "rmse": metrics.RMSE, "r2": metrics.R2},
}


def uneven(x, y):
    """A delay that follows from the row, the same at every call."""
    return random.Random(repr((sorted(x.items()), y))).choice([0, 1, 3, 10, 200])


def minutes(x, y):
    return dt.timedelta(minutes=uneven(x, y))


ROWS = 1_200 if IS_THOROUGH else 600
"""Three times the longest delay and more."""

START = dt.datetime(2026, 1, 1)  # noqa: DTZ001 River compares what it is given


def rows_of(name, delay):
    """The rows, with what the moment and the delay are read from where these are columns."""
    _, source, _ = MODELS[name]
    for x, y in itertools.islice(source(), ROWS):
        more = {"wait": float(uneven(x, y))} if delay == "wait" else {}
        yield x | more, y


MOMENTS = {
    "a number": (None, 7),
    "a callable": (None, uneven),
    "a column": (None, "wait"),
    "a duration": (lambda x: START + dt.timedelta(seconds=round(1e4 * sum(map(float, x.values())) % 86_400)), dt.timedelta(minutes=5)),
    "a callable's duration": (lambda x: START + dt.timedelta(seconds=round(1e4 * sum(map(float, x.values())) % 86_400)), minutes),
}  # fmt: skip


def events(rows, moment, delay):
    """Questions and labels in the order in which River asks and tells."""
    for number, x, y, *_ in stream.simulate_qa(iter(rows), moment, delay):
        yield {"id": str(number), "features": x} if y is None else {"id": str(number), "label": y}


def fold(task, records, clock=0):
    learner = Learner(task, 0)
    lines = [json.dumps(record).encode() for record in records]
    for offset, start in enumerate(range(0, len(lines), 50)):
        value = b"\n".join(lines[start : start + 50])
        for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=clock + offset, key=None, value=value)):
            pass
    return learner


def told(learner, kind):
    values = learner.champion.scoreboard.values()
    return {name: values[name] for name in METRICS[kind]}


def by_river(rows, name, moment, delay):
    kind, _, make = MODELS[name]
    scores = {metric: River() for metric, River in METRICS[kind].items()}
    every = metrics.base.Metrics(list(scores.values()))
    evaluate.progressive_val_score(iter(rows), make(), every, moment=moment, delay=delay)
    found = {metric: score.get() for metric, score in scores.items()}
    if kind == "multiclass":  # River adds the F1 of the classes in the order of a set
        found["f1"] = pytest.approx(found["f1"], rel=1e-12)
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("how", MOMENTS)
def test_delayed_labels_score_and_teach_as_in_river(name, how):
    moment, delay = MOMENTS[how]
    kind = MODELS[name][0]
    rows = list(rows_of(name, delay))
    learner = fold(Task(name="t", kind=kind, model=name), events(rows, moment, delay))
    assert told(learner, kind) == by_river(rows, name, moment, delay)
    assert (learner.state.updates, learner.state.join.waiting, learner.state.quarantined) == (len(rows), 0, 0)


@pytest.mark.parametrize("name", MODELS)
def test_without_a_delay_the_figures_are_others(name):
    rows = list(rows_of(name, 200))
    assert by_river(rows, name, None, 200) != by_river(rows, name, None, None)


END = {"id": "end", "features": {"x": 0.0}, "time": 10_000}
"""A question so much later that nothing waits for its time any more."""


def out_of_order(rows):
    """Questions and labels, each with the time at which River asks or tells; they come shuffled, by up to 30 seconds.

    Of labels that are due together River takes the earlier question's first, so each has a moment of its own.
    """
    records = []
    for number, (x, y) in enumerate(rows):
        records += [{"id": str(number), "features": x, "time": number + 1}]
        records += [{"id": str(number), "label": y, "time": number + uneven(x, y) + 0.1 + number / 1000}]
    dice = random.Random(5)
    return sorted(records, key=lambda record: record["time"] + dice.uniform(0, 30))


@pytest.mark.parametrize("name", MODELS)
def test_records_that_come_out_of_order_are_put_in_the_order_of_their_times(name):
    kind = MODELS[name][0]
    rows = list(rows_of(name, 0))[:600]
    shuffled, end = out_of_order(rows), END
    task = Task(name="t", kind=kind, model=name, order="event_time", lateness="31s", late="quarantine")
    learner = fold(task, [*shuffled, end], clock=10_000_000)
    assert told(learner, kind) == by_river(rows, name, None, uneven)
    assert learner.state.order.late == learner.state.quarantined == 0
    arrived = fold(Task(name="t", kind=kind, model=name), [*shuffled, end])
    assert told(arrived, kind) != told(learner, kind)
