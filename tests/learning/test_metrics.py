"""Metrics equal those of River and scikit-learn; those of shards add up to those of the whole."""

import itertools
import math
import random
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics
from sklearn import calibration as sk_calibration
from sklearn import metrics as sk

from headrace.learning.metrics import METRICS, WINDOW, Scoreboard, ServedScores
from headrace.learning.metrics.at_threshold import at_threshold
from headrace.learning.metrics.calibration import BINS, decompose, equal_mass, equal_width, expected_error
from headrace.learning.metrics.f1 import f_beta
from headrace.learning.metrics.overall import PAIRS_MAX, Overall
from headrace.learning.metrics.precision import precision
from headrace.learning.metrics.quantile_loss import quantile_loss
from headrace.learning.metrics.recall import recall
from headrace.learning.metrics.regret import regret
from headrace.learning.metrics.tallies import Confusion, Errors, Probabilities
from headrace.learning.metrics.tallies.probabilities import CELLS, EDGES, UNIT, ExactProbabilities
from headrace.learning.prediction import Prediction
from headrace.learning.snapshot import decode, digest, encode

KINDS = ["binary", "multiclass", "regression"]
CLASSES = ["a", "b", "c", 7, 15, 23]

EXACT = {"rel": 1e-12, "abs": 1e-12}
"""Equal but for the rounding of floats."""


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


def board_of(kind, rows):
    board = Scoreboard(kind)
    for label, prediction in rows:
        board.update(label, prediction)
    return board


# River's figures.

GRID = [number / 4_096 for number in range(4_097)]


def river(kind, rows):
    every = {
        "binary": {"accuracy": metrics.Accuracy(), "log_loss": metrics.LogLoss(), "f1": metrics.F1()},
        "multiclass": {"accuracy": metrics.Accuracy(), "log_loss": metrics.CrossEntropy(), "f1": metrics.MacroF1()},
        "regression": {"mae": metrics.MAE(), "rmse": metrics.RMSE(), "r2": metrics.R2()},
    }[kind]
    for label, prediction in rows:
        for name, metric in every.items():
            metric.update(label, prediction.probabilities if name == "log_loss" else prediction.value)
    figures = {name: metric.get() for name, metric in every.items()}
    if kind == "multiclass":  # River adds the F1 of the classes in the order of a set
        figures["f1"] = pytest.approx(figures["f1"], **EXACT)
    return figures


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, WINDOW - 1, WINDOW, 2 * WINDOW + 137])
def test_the_figures_that_river_has_are_rivers_to_the_bit(kind, n):
    rows = list(scored(kind, n))
    values, whole, recent = board_of(kind, rows).values(), river(kind, rows), river(kind, rows[-WINDOW:])
    assert {name: values[name] for name in whole} == whole
    assert {name: values["window"][name] for name in recent} == recent


def test_the_area_over_the_window_is_rivers_where_no_probabilities_are_equal():
    """River gives labels of one probability an order of its own; scikit-learn counts them as ties."""
    dice = random.Random(7)
    rows = [(dice.random() < p, Prediction.of_classes({False: 1 - p, True: p})) for p in dice.sample(GRID, 2 * WINDOW)]
    area = metrics.RollingROCAUC(window_size=WINDOW)
    for label, prediction in rows:
        area.update(label, prediction.probabilities)
    assert board_of("binary", rows).values()["window"]["roc_auc"] == pytest.approx(area.get(), **EXACT)


# Those of scikit-learn.


def sklearn_figures(kind, rows):
    labels = [label if kind == "regression" else str(label) for label, _ in rows]
    values = [prediction.value if kind == "regression" else str(prediction.value) for _, prediction in rows]
    if kind == "regression":
        return {
            "mae": sk.mean_absolute_error(labels, values),
            "rmse": sk.root_mean_squared_error(labels, values),
            "r2": sk.r2_score(labels, values),
            "quantile_loss": sk.mean_pinball_loss(labels, values),
        }
    how = {"zero_division": 0.0} | ({"pos_label": "True"} if kind == "binary" else {"average": "macro"})
    figures = {
        "accuracy": sk.accuracy_score(labels, values),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, values),
        "precision": sk.precision_score(labels, values, **how),
        "recall": sk.recall_score(labels, values, **how),
        "f1": sk.f1_score(labels, values, **how),
        "mcc": sk.matthews_corrcoef(labels, values),
        "cohen_kappa": sk.cohen_kappa_score(labels, values),
    }
    if kind == "binary":
        true, p = arrays(rows)
        figures |= {
            "log_loss": sk.log_loss(true, np.clip(p, 1e-15, 1 - 1e-15)),
            "brier_score": sk.brier_score_loss(true, p),
            "roc_auc": sk.roc_auc_score(true, p),
            "pr_auc": sk.average_precision_score(true, p),
        }
    return figures


def arrays(rows):
    return (
        np.array([label for label, _ in rows]),
        np.array([prediction.probabilities.get(True, 0.0) for _, prediction in rows], float),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [50, WINDOW, 3 * WINDOW + 137])
def test_figures_are_those_of_scikit_learn(kind, n):
    rows = list(scored(kind, n, seed=n))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class that was predicted and never came
        whole, recent = sklearn_figures(kind, rows), sklearn_figures(kind, rows[-WINDOW:])
    values = board_of(kind, rows).values()
    window = values.pop("window")
    rounded = {"roc_auc": 1e-3, "pr_auc": 5e-3}
    for name, figure in whole.items():
        assert values[name] == pytest.approx(figure, abs=rounded.get(name, 1e-9)), name
    for name, figure in recent.items():
        assert window[name] == pytest.approx(figure, **EXACT), name
    others = {"ece"} if kind == "binary" else {"log_loss"} if kind == "multiclass" else set()
    costs = {"total_cost", "mean_cost"} if kind == "multiclass" else set()  # of tasks that say what errors cost
    assert set(values) == set(window) == {*whole, *others} == set(METRICS.of_kind(kind)) - costs


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9])
def test_the_loss_of_any_quantile_is_read_from_the_same_sums(quantile):
    errors, rows = Errors(), list(scored("regression", 500))
    for label, prediction in rows:
        errors.update(label, prediction.value)
    labels, values = [label for label, _ in rows], [prediction.value for _, prediction in rows]
    expected = sk.mean_pinball_loss(labels, values, alpha=quantile)
    assert quantile_loss(errors, quantile) == pytest.approx(expected, **EXACT)


def curves(label, p, seed=0, n=4_000):
    """Labels and probabilities of a task: `label` makes labels of probabilities, and `p` makes these of normal numbers."""
    dice = np.random.default_rng(seed)
    probabilities = p(dice.normal(size=n))
    return dice.random(n) < label(probabilities), probabilities


def logistic(z):
    return 1 / (1 + np.exp(-z))


TASKS = {
    "calibrated": curves(lambda p: p, logistic),
    "rare": curves(lambda p: p, lambda z: logistic(1.5 * z - 5)),
    "sure": curves(lambda p: p, lambda z: logistic(8 * z)),
    "too sure": curves(lambda p: 0.3 + 0.4 * p, lambda z: logistic(3 * z)),
    "useless": curves(lambda p: 0.2 + 0 * p, logistic),
    "with ties": curves(lambda p: p, lambda z: np.round(logistic(z), 1)),
}


def tallied(make, labels, p):
    tally = make()
    for label, one in zip(labels.tolist(), p.tolist(), strict=True):
        tally.update(label, one >= 0.5, one)
    return tally


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("make", [Probabilities, ExactProbabilities])
def test_the_reliability_curve_and_its_error_are_those_of_scikit_learn(task, make):
    labels, p = TASKS[task]
    if task == "with ties":  # a probability at an edge belongs to the bin above, and in scikit-learn to the one below
        labels, p = labels[p != 0.5], p[p != 0.5]
    bins = equal_width(tallied(make, labels, p).view())
    observed, predicted = sk_calibration.calibration_curve(labels, p, n_bins=BINS)
    assert [one.observed for one in bins] == pytest.approx(list(observed), **EXACT)
    rounding = {"abs": 1 / UNIT} if make is Probabilities else EXACT
    assert [one.predicted for one in bins] == pytest.approx(list(predicted), **rounding)
    counts, _ = np.histogram(p, bins=BINS, range=(0, 1))
    assert [one.count for one in bins] == [count for count in counts if count]
    error = np.sum(counts[counts > 0] * np.abs(predicted - observed)) / len(p)
    assert expected_error(bins) == pytest.approx(error, **rounding)


@pytest.mark.parametrize("task", set(TASKS) - {"with ties"})
def test_bins_of_equal_mass_are_those_of_scikit_learn(task):
    labels, p = TASKS[task]
    bins = equal_mass(tallied(ExactProbabilities, labels, p).view())
    observed, predicted = sk_calibration.calibration_curve(labels, p, n_bins=BINS, strategy="quantile")
    assert [one.count for one in bins] == [len(p) // BINS] * BINS
    assert [one.observed for one in bins] == pytest.approx(list(observed), **EXACT)
    assert [one.predicted for one in bins] == pytest.approx(list(predicted), **EXACT)


@pytest.mark.parametrize("task", set(TASKS) - {"with ties"})
def test_bins_of_equal_mass_that_are_made_of_cells_are_nearly_those(task):
    labels, p = TASKS[task]
    bins = equal_mass(tallied(Probabilities, labels, p).view())
    assert max(one.count for one in bins) < 2.5 * len(p) / BINS
    exact = expected_error(equal_mass(tallied(ExactProbabilities, labels, p).view()))
    assert expected_error(bins) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bins_of", [equal_width, equal_mass])
@pytest.mark.parametrize("make", [Probabilities, ExactProbabilities])
def test_murphys_parts_add_up_to_the_brier_score(task, bins_of, make):
    labels, p = TASKS[task]
    bins, brier = bins_of(tallied(make, labels, p).view()), sk.brier_score_loss(labels, p)
    parts = decompose(bins, brier)
    assert parts.reliability - parts.resolution + parts.uncertainty + parts.within == pytest.approx(brier, **EXACT)
    assert parts.uncertainty == pytest.approx(np.var(labels), **EXACT)
    means = np.repeat([one.predicted for one in bins], [one.count for one in bins])
    shares = np.repeat([one.observed for one in bins], [one.count for one in bins])
    assert parts.reliability == pytest.approx(np.mean((means - shares) ** 2), **EXACT)
    assert parts.resolution == pytest.approx(np.mean((shares - labels.mean()) ** 2), **EXACT)


def test_nothing_lies_within_the_bins_if_each_has_one_probability():
    labels, p = TASKS["with ties"]
    parts = decompose(equal_width(tallied(ExactProbabilities, labels, p).view()), sk.brier_score_loss(labels, p))
    assert parts.within == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("threshold", [0.0, 1 / 64, 0.25, 0.5, 0.8125, 1.0])
@pytest.mark.parametrize("make", [Probabilities, ExactProbabilities])
def test_precision_recall_and_f_beta_at_a_threshold_are_those_of_scikit_learn(task, threshold, make):
    labels, p = TASKS[task]
    table, predicted = at_threshold(tallied(make, labels, p).view(), threshold), p >= threshold
    if threshold == 1.0 and make is Probabilities:
        return  # no edge: the last cell has probabilities below 1 too
    assert precision(table) == pytest.approx(sk.precision_score(labels, predicted, zero_division=0), **EXACT)
    assert recall(table) == pytest.approx(sk.recall_score(labels, predicted), **EXACT)
    for beta in (0.5, 1.0, 2.0):
        expected = sk.fbeta_score(labels, predicted, beta=beta, zero_division=0)
        assert f_beta(table, True, beta) == pytest.approx(expected, **EXACT)


# The rounding of areas since the start.


def test_each_cell_has_its_lower_edge_and_is_at_most_a_32nd_wide():
    assert sorted(EDGES) == EDGES
    assert len(set(EDGES)) + 1 == CELLS == 962
    assert all(math.ldexp(edge, 21).is_integer() for edge in EDGES)
    assert {number / 64 for number in range(1, 64)} <= set(EDGES)
    for lower, upper in itertools.pairwise(EDGES):
        assert upper - lower <= min(lower, 1 - upper) / 32
    for edge in EDGES:
        histogram = Probabilities()
        histogram.update(True, True, edge)
        histogram.update(True, True, math.nextafter(edge, 0))
        assert histogram.view().positives == [1, 1]


def roc_and_pr(groups):
    read = METRICS.of_kind("binary")
    return read["roc_auc"].read(groups), read["pr_auc"].read(groups)


def tied_pairs(groups):
    return sum(ones * zeros for ones, zeros in zip(groups.positives, groups.negatives, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_areas_since_the_start_are_within_the_stated_rounding(task):
    labels, p = TASKS[task]
    groups = tallied(Probabilities, labels, p).view()
    area, under_curve = roc_and_pr(groups)
    bound = tied_pairs(groups) / (2 * int(labels.sum()) * int((~labels).sum()))
    assert abs(area - sk.roc_auc_score(labels, p)) <= bound + 1e-12
    assert abs(area - sk.roc_auc_score(labels, p)) < 0.001
    worst, best = (sk.average_precision_score(labels, order(labels, p, way)) for way in (-1, 1))
    assert worst - 1e-12 <= under_curve <= best + 1e-12
    assert abs(under_curve - sk.average_precision_score(labels, p)) < 0.01


def order(labels, p, way):
    """ExactProbabilities that order the cells as the histogram does, and within a cell the labels true first or last."""
    return np.searchsorted(EDGES, p, side="right") + np.where(labels, 0.25 * way, 0)


probabilities = st.one_of(st.sampled_from([0, 1, 0.0, 0.5, 1.0]), st.floats(0, 1), st.floats(0, 2**-14))
binary_rows = st.lists(st.tuples(st.booleans(), probabilities), min_size=2, max_size=60)


@settings(max_examples=200, deadline=None)
@given(binary_rows)
def test_the_areas_of_any_scores_are_scikit_learns_and_rounded_within_bounds(rows):
    labels, p = np.array([label for label, _ in rows]), np.array([one for _, one in rows], float)
    if not labels.any() or labels.all():
        area, under_curve = roc_and_pr(tallied(ExactProbabilities, labels, p).view())
        assert math.isnan(area)
        assert math.isnan(under_curve) == (not labels.any())
        return
    exact, cells = (tallied(make, labels, p).view() for make in (ExactProbabilities, Probabilities))
    area, under_curve = roc_and_pr(exact)
    assert area == pytest.approx(sk.roc_auc_score(labels, p), **EXACT)
    assert under_curve == pytest.approx(sk.average_precision_score(labels, p), **EXACT)
    assert (
        abs(roc_and_pr(cells)[0] - area) <= tied_pairs(cells) / (2 * int(labels.sum()) * int((~labels).sum())) + 1e-12
    )
    counts = np.add(cells.positives, cells.negatives)
    assert np.dot(counts, cells.p) == pytest.approx(p.sum(), abs=len(p) / UNIT)
    assert sorted(cells.p) == cells.p


@pytest.mark.parametrize("odd", [-3, 7, 2**62, -1e300, 1e300, math.inf, -math.inf, math.nan, None, True])
def test_a_number_that_is_no_probability_counts_as_the_nearest_one(odd):
    board = board_of("binary", [(False, Prediction(False, {False: 0.5} | ({} if odd is None else {True: odd})))])
    p = float(odd is not None and odd >= 1)
    values = board.values()
    for tallies, figures in (board.tallies, values), (board.recent(), values["window"]):
        assert tallies["probabilities"].view()[:3] == ([0], [1], [p])
        assert (figures["brier_score"], figures["ece"]) == (p, p)


# Several shards.


def counts_of(tally):
    """What a tally has counted, without its means."""
    view = tally.view()
    return view[:3] if isinstance(tally, Probabilities) else view


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shards", [1, 3, 7])
def test_the_figures_of_shards_add_up_to_those_of_the_whole(kind, shards):
    rows = list(scored(kind, WINDOW - 3))  # each window holds all rows of its shard
    parts = [board_of(kind, rows[at::shards]) for at in range(shards)]
    before = digest(parts)
    merged, whole = Overall(kind), Overall(kind)
    for part in parts:
        merged.add(part)
    whole.add(board_of(kind, rows))
    assert merged.scored == whole.scored == len(rows)
    assert digest(parts) == before
    for name in {"confusion", "probabilities"} & set(merged.tallies):  # all but the losses, to the bit
        assert counts_of(merged.tallies[name]) == counts_of(whole.tallies[name])
        assert counts_of(merged.recent[name]) == counts_of(whole.recent[name])
    values, expected = merged.values(), whole.values()
    for got, wanted in (values.pop("window"), expected.pop("window")), (values, expected):
        for name, figure in wanted.items():
            is_mean = name in {"log_loss", "brier_score"} or kind == "regression"
            assert got[name] == (pytest.approx(figure, **EXACT) if is_mean else figure), name
    assert merged.confusion() == whole.confusion()


@settings(max_examples=100, deadline=None)
@given(binary_rows, st.integers(0, 60), st.randoms(use_true_random=False))
def test_tallies_of_counts_do_not_depend_on_the_order_or_the_parts(rows, cut, dice):
    def counted(some):
        confusion, histogram = Confusion(), Probabilities()
        for label, p in some:
            confusion.update(label, p >= 0.5, p)
            histogram.update(label, p >= 0.5, p)
        return confusion, histogram

    whole = counted(rows)
    shuffled = dice.sample(rows, len(rows))
    parts = counted(shuffled[:cut]), counted(shuffled[cut:])
    for one, more in zip(*parts, strict=True):
        one.add(more)
    assert [counts_of(tally) for tally in parts[0]] == [counts_of(tally) for tally in whole]
    for name in ("log", "squared"):
        assert getattr(parts[0][1], name) == pytest.approx(getattr(whole[1], name), **EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_a_merge_with_nothing_changes_nothing(kind):
    board = board_of(kind, scored(kind, 300))
    merged = Overall(kind)
    for part in (Scoreboard(kind), board, Scoreboard(kind)):
        merged.add(part)
    assert merged.values() == board.values()


def test_huge_labels_are_merged():
    one, two = Errors(), Errors()
    for tally, label in (one, 1e300), (two, -1e300):
        tally.update(label, 0.0)
    one.add(two)
    assert (one.count, one.label, one.absolute, one.squared) == (2, 0.0, 1e300, math.inf)


# What they are in a state.


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
    assert set(values) - {"window"} == set(values["window"])
    assert {*values.pop("window").values(), *values.values()} == {None}
    assert set(ServedScores(kind).values().values()) == {0, None}


def test_there_is_no_area_while_all_labels_are_the_same():
    board = board_of("binary", [(False, Prediction(False, {False: 0.75, True: 0.25}))])
    values = board.values()
    for figures in values, values["window"]:
        assert figures["roc_auc"] is figures["pr_auc"] is figures["cohen_kappa"] is None
        assert (figures["mcc"], figures["precision"], figures["recall"], figures["f1"]) == (0, 0, 0, 0)
        assert (figures["accuracy"], figures["balanced_accuracy"], figures["ece"]) == (1, 1, 0.25)


def test_a_figure_that_is_not_finite_is_none():
    board = Scoreboard("regression")
    board.update(1.0, Prediction(1e300))
    board.update(2.0, Prediction(-1e300))
    values = board.values()
    assert values["rmse"] is values["r2"] is values["window"]["rmse"] is None
    assert math.isfinite(values["mae"])


@pytest.mark.parametrize("kind", KINDS)
def test_reading_changes_nothing(kind):
    board = board_of(kind, scored(kind, 1_500))
    before = digest(board)
    assert board.values() == board.values()
    assert digest(board) == before


@pytest.mark.parametrize("kind", KINDS)
def test_served_labels_have_the_figures_that_need_no_probability(kind):
    scores, board = ServedScores(kind), Scoreboard(kind)
    for label, prediction in scored(kind, 300):
        scores.update(label, prediction.value)
        board.update(label, prediction)
    figures, without = board.figures(), {"log_loss", "brier_score", "ece", "roc_auc", "pr_auc"}
    assert scores.values() == {"scored": 300} | {n: one for n, one in figures.items() if n not in without}


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_from_bytes_says_the_same_and_goes_on_the_same(kind):
    rows = list(scored(kind, 1_700))
    board = board_of(kind, rows[:1_200])
    copy = decode(encode(board))
    for label, prediction in rows[1_200:]:
        board.update(label, prediction)
        copy.update(label, prediction)
    assert copy.values() == board.values()
    assert digest(copy) == digest(board)


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_window_is_small(kind):
    assert len(encode(board_of(kind, scored(kind, WINDOW)))) < 30_000


def test_a_histogram_in_which_every_cell_has_many_predictions_is_small():
    histogram = Probabilities()
    histogram.positives = histogram.negatives = [10**6] * CELLS
    histogram.sums = [2**51] * CELLS
    assert len(encode(histogram)) < 20_000


# What is told of all shards.


def test_all_that_is_told_of_two_classes_is_of_the_same_predictions():
    labels, p = TASKS["calibrated"]
    rows = [
        (label, Prediction(one >= 0.5, {True: one})) for label, one in zip(labels.tolist(), p.tolist(), strict=True)
    ]
    overall = Overall("binary")
    for at in range(3):
        overall.add(board_of("binary", rows[at::3]))
    told = overall.describe()
    assert told.scored == sum(pair.count for pair in told.confusion) == len(rows)
    assert told.calibration["equal_width"].ece == told.metrics["ece"]
    for one in told.calibration.values():
        assert sum(each.count for each in one.bins) == len(rows)
        murphy = one.murphy
        total = murphy.reliability - murphy.resolution + murphy.uncertainty + murphy.within
        assert total == pytest.approx(told.metrics["brier_score"], **EXACT)
    middle = told.thresholds[BINS // 2 - 1]
    figures = middle.threshold, middle.precision, middle.recall, middle.f1
    assert figures == (0.5, *(told.metrics[name] for name in ("precision", "recall", "f1")))


def test_all_that_is_told_of_a_regression_has_the_losses_of_quantiles():
    overall = Overall("regression")
    assert overall.describe().quantile_losses == {}
    overall.add(board_of("regression", scored("regression", 100)))
    told = overall.describe()
    assert told.quantile_losses["0.5"] == told.metrics["quantile_loss"]
    assert (told.confusion, told.calibration, told.thresholds) == ([], None, [])


def test_nothing_is_told_before_the_first_prediction():
    for kind in KINDS:
        told = Overall(kind).describe()
        assert (told.scored, told.confusion, told.calibration, told.thresholds) == (0, [], None, [])


def test_the_most_frequent_pairs_of_many_labels_are_told():
    overall = Overall("multiclass")
    board = Scoreboard("multiclass")
    for number in range(PAIRS_MAX + 50):
        for _ in range(2 if number % 2 else 1):
            board.update(number, Prediction(number + 1, {number + 1: 1.0}))
    overall.add(board)
    counts = [pair.count for pair in overall.confusion()]
    assert counts == [2] * 225 + [1] * 175


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_recent_loss_is_the_metric_of_the_window(kind):
    """Also for a label that the model did not know, and for an answer without the true label's probability."""
    board, labels = Scoreboard(kind), (True, False) if kind == "binary" else ("a", "b", "c")
    rng = random.Random(3)
    for number in range(50):
        known = labels[: 1 + number % len(labels)]
        shares = [rng.random() for _ in known]
        board.update(
            rng.choice(labels),
            Prediction.of_classes({one: p / sum(shares) for one, p in zip(known, shares, strict=True)}),
        )
    assert board.recent_loss() == pytest.approx(board.recent_figures()["log_loss"], rel=1e-3)


def overall(kind, *boards):
    summed = Overall(kind)
    for rows in boards:
        board = Scoreboard(kind)
        for label, value in rows:
            board.update(label, Prediction(value))
        summed.add(board)
    return summed


def regret_of(kind, **arms):
    return regret(kind, arms, {name: arm.values() for name, arm in arms.items()})


def test_regret_is_over_the_records_that_both_arms_were_scored_on():
    labels = [number % 3 == 0 for number in range(400)]
    champion = [(label, False) for label in labels]
    cold = overall("binary", champion[2:])
    late = [(label, label) for label in labels[-60:]]  # an arm that has just begun, and is right
    sampled = [(label, label) for label in labels[::8]]  # one that answers each eighth record
    right = [(label, label) for label in labels]
    alone = regret_of("binary", champion=cold, late=overall("binary", late), sampled=overall("binary", sampled))
    assert (alone.best, alone.all, alone.best_recent, alone.window) == ("champion", 0.0, "champion", 0.0)
    found = regret_of("binary", champion=cold, right=overall("binary", right))
    wrong = sum(labels[2:]) / len(labels[2:])
    assert (found.best, found.best_recent) == ("right", "right")
    assert found.window == pytest.approx(wrong, abs=1e-12), (
        "the two records that the champion did not answer do not count"
    )
    assert found.all == pytest.approx(wrong, abs=1e-12)
    assert regret_of("binary", champion=overall("binary"), right=overall("binary", right)) is None


def test_regret_of_an_arm_that_a_shard_lacks_is_not_told():
    rows = [(1.0, 2.0), (3.0, 3.5)] * 20
    both = overall("regression", rows, [])
    assert regret_of("regression", champion=both, other=overall("regression", rows)).best_recent == "champion"
    better = overall("regression", [(label, label) for label, _ in rows], [(1.0, 1.0)])
    assert regret_of("regression", champion=both, other=better).window == 0.75
