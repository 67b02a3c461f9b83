import math
import random

import pytest
from river import metrics

from headrace.learning.metrics import WINDOW, Scoreboard
from headrace.learning.prediction import Prediction
from headrace.learning.snapshot import decode, digest, encode

KINDS = ["binary", "multiclass", "regression"]
CLASSES = ["a", "b", "c", 7, 15, 23]


def scored(kind, n, seed=0):
    """Labels and predictions; some probabilities are 0, 1 or missing, as those of young models are."""
    rng = random.Random(seed)
    for _ in range(n):
        if kind == "regression":
            label = rng.choice([rng.gauss(0, 3), rng.randrange(9)])
            yield label, Prediction(label + rng.gauss(0, 1))
        elif kind == "binary":
            label, p = rng.random() < 0.3, rng.choice([0, 1, 0.5, rng.random(), rng.random()])
            yield (
                label,
                Prediction.of_classes(rng.choice([{False: 1 - p, True: p}, {True: p, False: 1 - p}, {False: 1.0}])),
            )
        else:
            known = rng.sample(CLASSES, rng.randrange(1, 7))
            yield (
                rng.choice(CLASSES),
                Prediction.of_classes({name: rng.choice([0.0, 1.0, rng.random()]) for name in known}),
            )


def river(kind, rows):
    every = {
        "binary": {"accuracy": metrics.Accuracy(), "log_loss": metrics.LogLoss(), "f1": metrics.F1()},
        "multiclass": {"accuracy": metrics.Accuracy(), "log_loss": metrics.CrossEntropy(), "f1": metrics.MacroF1()},
        "regression": {"mae": metrics.MAE(), "rmse": metrics.RMSE(), "r2": metrics.R2()},
    }[kind]
    for label, prediction in rows:
        for name, metric in every.items():
            metric.update(label, prediction.probabilities if name == "log_loss" else prediction.value)
    return {name: metric.get() for name, metric in every.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, WINDOW - 1, WINDOW, 2 * WINDOW + 137])
def test_every_figure_is_rivers_to_the_bit(kind, n):
    board, rows = Scoreboard(kind), list(scored(kind, n))
    area = metrics.RollingROCAUC(window_size=WINDOW)
    for label, prediction in rows:
        board.update(label, prediction)
        if kind == "binary":
            area.update(label, prediction.probabilities)
    values = board.values()
    assert values.pop("window") == river(kind, rows[-WINDOW:])
    if kind == "binary":
        assert values.pop("rolling_roc_auc") == area.get()
    assert values == river(kind, rows)


def test_the_window_is_not_the_whole_log():
    board = Scoreboard("binary")
    for number in range(2 * WINDOW):
        right = number >= WINDOW
        board.update(True, Prediction(right, {True: float(right), False: 1.0 - right}))
    values = board.values()
    assert values["accuracy"] == 0.5
    assert values["window"]["accuracy"] == 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_no_figure_before_the_first_prediction(kind):
    values = Scoreboard(kind).values()
    assert set(values) - {"window", "rolling_roc_auc"} == set(values["window"])
    assert {*values.pop("window").values(), *values.values()} == {None}


def test_a_figure_that_is_not_finite_is_none():
    board = Scoreboard("regression")
    board.update(1.0, Prediction(1e300))
    board.update(2.0, Prediction(-1e300))
    values = board.values()
    assert values["rmse"] is values["r2"] is values["window"]["rmse"] is None
    assert math.isfinite(values["mae"])


@pytest.mark.parametrize("kind", KINDS)
def test_reading_changes_nothing(kind):
    board = Scoreboard(kind)
    for label, prediction in scored(kind, 1_500):
        board.update(label, prediction)
    before = digest(board)
    assert board.values() == board.values()
    assert digest(board) == before


def test_rivers_own_rolling_area_would_be_changed_by_reading():
    area = metrics.RollingROCAUC(window_size=WINDOW)
    area.update(True, {True: 0.5})
    before = digest(area.__dict__["_buf_labels"])
    area.get()
    assert digest(area.__dict__["_buf_labels"]) != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_from_bytes_says_the_same_and_goes_on_the_same(kind):
    board, rows = Scoreboard(kind), list(scored(kind, 1_700))
    for label, prediction in rows[:1_200]:
        board.update(label, prediction)
    copy = decode(encode(board))
    for label, prediction in rows[1_200:]:
        board.update(label, prediction)
        copy.update(label, prediction)
    assert copy.values() == board.values()
    assert digest(copy) == digest(board)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_window_is_small(kind):
    board = Scoreboard(kind)
    for label, prediction in scored(kind, WINDOW):
        board.update(label, prediction)
    assert len(encode(board)) < 30_000
