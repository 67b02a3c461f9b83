"""What the learner says of a stream equals, to the last bit, River's own progressive validation of River's own classes."""

import functools
import itertools
import json
import re
from types import SimpleNamespace

import pytest
from river import (
    anomaly,
    base,
    compose,
    datasets,
    dummy,
    ensemble,
    evaluate,
    feature_extraction,
    forest,
    linear_model,
    metrics,
    naive_bayes,
    optim,
    preprocessing,
    stats,
    tree,
)
from sklearn.metrics import roc_auc_score
from thorough import IS_THOROUGH, some

from headrace.learning import kernel
from headrace.learning.effects import Predicted
from headrace.learning.fold.learner import Learner
from headrace.learning.models import MODELS, names_for
from headrace.learning.models.baseline import NoChangeRegressor
from headrace.learning.models.committee import committee_binary, committee_multiclass, committee_regression
from headrace.learning.models.experts import experts_binary, experts_multiclass, experts_regression
from headrace.learning.models.online_linear import OnlineLinearClassifier, OnlineLinearRegressor
from headrace.learning.task import Task

WINDOW = 1_000
PACK = 50  # rows a message


# The data sets that River ships. What is not JSON is put as numbers (the dates of AirlinePassengers and WaterFlow); a data set with
# several targets lends one of them (SolarFlare, Yeast). Shuttle (49,097 rows) gives its first 3,000, Yeast (103 features) its first 500.


def calendar(moment):
    return {"year": moment.year, "month": moment.month, "weekday": moment.weekday(), "hour": moment.hour}


def solar_flare():
    for x, y in datasets.SolarFlare():
        yield x, y["c-class-flares"]


DATA = {
    "binary": {
        "phishing": datasets.Phishing,
        "bananas": datasets.Bananas,
        "shuttle": lambda: ((x, bool(y)) for x, y in itertools.islice(datasets.Shuttle(), 3_000)),
        "solar_flare": lambda: ((x, y > 0) for x, y in solar_flare()),  # strings and numbers
        "yeast": lambda: ((x, y["Class1"]) for x, y in itertools.islice(datasets.Yeast(), 500)),
    },
    "multiclass": {
        "image_segments": datasets.ImageSegments,
        "solar_flare": lambda: ((x, y) for x, y in solar_flare()),  # whole numbers as labels
    },
    "regression": {
        "trump_approval": datasets.TrumpApproval,
        "sp500_stocks": datasets.SP500Stocks,
        "chick_weights": datasets.ChickWeights,
        "airline_passengers": lambda: ((calendar(x["month"]), y) for x, y in datasets.AirlinePassengers()),
        "water_flow": lambda: ((calendar(x["Time"]), y) for x, y in datasets.WaterFlow()),
        "solar_flare": solar_flare,
    },
}
"""Left out are only the sets that River downloads."""

ROWS = {
    "mondrian_forest": some(400),
    "mondrian_regressor": some(400),
    "arf": some(1_000),
    "srp": some(1_000),
    "committee": some(400),
    "bagging": some(2_000),
}
"""The forests take a millisecond and more a row, so they see the start of a set alone."""

LONGEST = None if IS_THOROUGH else WINDOW * 3 // 2
"""More rows than the window has show no more of the window. The published accuracies are of whole sets."""


# The models, written out with River's classes.


class OneHot(base.Transformer):
    def transform_one(self, x):
        return {f"{k}={v}" if isinstance(v, str) else k: 1.0 if isinstance(v, str) else v for k, v in x.items()}


class Scaled(base.Transformer):
    """River's scaler for numbers, and strings as one-hot features that it does not see."""

    def __init__(self):
        self.scaler = preprocessing.StandardScaler()

    def learn_one(self, x):
        self.scaler.learn_one({k: v for k, v in x.items() if not isinstance(v, str)})

    def transform_one(self, x):
        scaled = self.scaler.transform_one({k: v for k, v in x.items() if not isinstance(v, str)})
        return {f"{k}={v}" if isinstance(v, str) else k: 1.0 if isinstance(v, str) else scaled[k] for k, v in x.items()}


def one_hot(model, numeric):
    return model if numeric else compose.Pipeline(OneHot(), model)


def scaled(model, numeric):
    return compose.Pipeline(preprocessing.StandardScaler() if numeric else Scaled(), model)


def as_it_is(model, numeric):
    return model


RIVER = {
    "logistic": lambda: (scaled, linear_model.LogisticRegression(optim.SGD(0.005))),
    "linear": lambda: (scaled, linear_model.LinearRegression()),
    "alma": lambda: (scaled, linear_model.ALMAClassifier()),
    "pa": lambda: (scaled, linear_model.PAClassifier()),
    "softmax": lambda: (scaled, linear_model.SoftmaxRegression()),
    "naive_bayes": lambda: (one_hot, naive_bayes.GaussianNB()),
    "hoeffding_tree": lambda: (one_hot, tree.HoeffdingTreeClassifier()),
    "hat": lambda: (one_hot, tree.HoeffdingAdaptiveTreeClassifier(seed=42)),
    "mondrian_forest": lambda: (one_hot, forest.AMFClassifier(seed=42)),
    "arf": lambda: (one_hot, forest.ARFClassifier(seed=42)),
    "hoeffding_regressor": lambda: (scaled, tree.HoeffdingTreeRegressor()),
    "mondrian_regressor": lambda: (scaled, forest.AMFRegressor(seed=42)),
    "no_change": lambda: (one_hot, dummy.NoChangeClassifier()),
    "majority": lambda: (one_hot, dummy.PriorClassifier()),
    "mean": lambda: (one_hot, dummy.StatisticRegressor(stats.Mean())),
    "ftrl": lambda: (scaled, linear_model.LogisticRegression(optim.FTRLProximal(), intercept_lr=0.05)),
    "efdt": lambda: (one_hot, tree.ExtremelyFastDecisionTreeClassifier()),
    "bagging": lambda: (one_hot, ensemble.BaggingClassifier(tree.HoeffdingTreeClassifier(), 10, seed=42)),
    "srp": lambda: (one_hot, ensemble.SRPClassifier(tree.HoeffdingTreeClassifier(), n_models=10, seed=42)),
}
OURS = {
    ("online_linear", "binary"): lambda: (
        scaled,
        OnlineLinearClassifier(),
    ),  # River has none: only its surroundings are compared
    ("online_linear", "regression"): lambda: (scaled, OnlineLinearRegressor()),
    ("no_change", "regression"): lambda: (one_hot, NoChangeRegressor()),
    ("committee", "binary"): lambda: (as_it_is, committee_binary()),
    ("committee", "multiclass"): lambda: (as_it_is, committee_multiclass()),
    ("committee", "regression"): lambda: (as_it_is, committee_regression()),
    ("experts", "binary"): lambda: (scaled, experts_binary().model),
    ("experts", "multiclass"): lambda: (scaled, experts_multiclass().model),
    ("experts", "regression"): lambda: (scaled, experts_regression().model),
    ("bagging", "regression"): lambda: (scaled, ensemble.BaggingRegressor(tree.HoeffdingTreeRegressor(), 10, seed=42)),
}


def river_metrics(kind):
    if kind == "binary":
        return {
            "accuracy": metrics.Accuracy(),
            "log_loss": metrics.LogLoss(),
            "f1": metrics.F1(),
        }
    if kind == "multiclass":
        return {"accuracy": metrics.Accuracy(), "log_loss": metrics.CrossEntropy(), "f1": metrics.MacroF1()}
    return {"mae": metrics.MAE(), "rmse": metrics.RMSE(), "r2": metrics.R2()}


@functools.cache
def rows_of(kind, data):
    return list(DATA[kind][data]())


def served(task, rows):
    """Fold the rows as messages of the event log, one after the other; the learner after each row, with the effects of the row."""
    kernel.use_kernel(yes=False)
    try:
        yield from folded(task, rows)
    finally:
        kernel.use_kernel(yes=True)


def folded(task, rows):
    """Fold the rows as messages of the event log; the learner and the effects whenever some rows are folded."""
    learner = Learner(task, partition=0)
    lines = [json.dumps({"features": x, "label": y}).encode() for x, y in rows]
    for offset, start in enumerate(range(0, len(lines), PACK)):
        value = b"\n".join(lines[start : start + PACK])
        for effects in learner.fold(SimpleNamespace(offset=offset, timestamp=0, key=None, value=value)):
            yield learner, effects


def said(prediction, kind):
    if prediction is None:
        return None if kind == "regression" else {}
    return prediction.value if kind == "regression" else prediction.probabilities


CASES = [
    pytest.param(kind, name, data, id=f"{name}-{kind}-{data}")
    for kind in DATA
    for turn, name in enumerate(names_for(kind))
    for number, data in enumerate(DATA[kind])
    if IS_THOROUGH or (turn + number) % min(3, len(DATA[kind])) == 0
]
"""Each model of a kind with each data set; in `make test` with one in three of them, in turn."""


def test_each_model_and_each_data_set_comes():
    assert {tuple(case.values[:2]) for case in CASES} == {(kind, name) for kind in DATA for name in names_for(kind)}
    assert {tuple(case.values[::2]) for case in CASES} == {(kind, data) for kind in DATA for data in DATA[kind]}


@pytest.mark.parametrize(("kind", "name", "data"), CASES)
def test_predictions_and_metrics_equal_progressive_validation(kind, name, data):
    rows = rows_of(kind, data)[: ROWS.get(name, LONGEST)]
    numeric = not any(isinstance(value, str) for x, _ in rows for value in x.values())
    prepare, model = (OURS.get((name, kind)) or RIVER[name])()
    expected = river_metrics(kind)
    local = evaluate.iter_progressive_val_score(
        rows, prepare(model, numeric), metrics.base.Metrics(list(expected.values())), step=1, yield_predictions=True
    )
    scored = []
    for number, ((learner, effects), step, (_, label)) in enumerate(
        zip(served(Task(name="t", kind=kind, model=name, predictions=True), rows), local, rows, strict=True), 1
    ):
        (predicted,) = (effect for effect in effects if isinstance(effect, Predicted))
        assert said(predicted.prediction, kind) == step["Prediction"], number
        if predicted.prediction is not None:
            scored.append((label, step["Prediction"]))
        board = learner.champion.scoreboard
        if number % 10 and number != len(rows):
            continue
        figures = board.figures()
        assert {metric: figures[metric] or 0.0 for metric in expected} == read(kind, expected), number
        if number % 500 and number != len(rows):
            continue
        window = board.values()["window"]
        assert {metric: window[metric] for metric in expected} == in_window(kind, scored[-WINDOW:]), number
        if (
            kind == "binary" and window["roc_auc"] is not None
        ):  # River's area gives equal probabilities an order of its own
            labels, answers = zip(*scored[-WINDOW:], strict=True)
            area = roc_auc_score(labels, [answer.get(True, 0.0) for answer in answers])
            assert window["roc_auc"] == pytest.approx(area, rel=1e-12), number
    assert number == len(rows)
    assert board.scored >= len(rows) - 1


def in_window(kind, scored):
    recent = river_metrics(kind)
    every = metrics.base.Metrics(list(recent.values()))
    for label, prediction in scored:
        every.update(label, prediction)
    return read(kind, recent)


def read(kind, rivers):
    figures = {metric: river.get() for metric, river in rivers.items()}
    if kind == "multiclass":  # River adds the F1 of the classes in the order of a set
        figures["f1"] = pytest.approx(figures["f1"], rel=1e-12)
    return figures


def test_every_model_of_the_catalogue_has_an_oracle():
    assert set(MODELS) == {*RIVER, *(name for name, _ in OURS), *DETECTORS}


def test_every_data_set_that_river_ships_is_folded():
    file, remote = datasets.base.FileDataset, datasets.base.RemoteDataset
    classes = [value for value in vars(datasets).values() if isinstance(value, type)]
    shipped = [kind.__name__ for kind in classes if issubclass(kind, file) and not issubclass(kind, remote)]
    assert {re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).lower() for name in shipped} == set().union(*DATA.values())


# The accuracies that River publishes for itself, https://riverml.xyz/latest/benchmarks/.
PUBLISHED = {
    ("binary", "phishing"): {
        "logistic": 0.887200,
        "alma": 0.825600,
        "naive_bayes": 0.884708,
        "hoeffding_tree": 0.879904,
        "hat": 0.874299,
        "no_change": 0.515612,
    },
    ("binary", "bananas"): {"logistic": 0.543208, "alma": 0.506415, "hat": 0.616531, "no_change": 0.509530},
    ("multiclass", "image_segments"): {"no_change": 0.148116},
}


@pytest.mark.parametrize(
    ("kind", "data", "name", "accuracy"),
    [(kind, data, name, accuracy) for (kind, data), figures in PUBLISHED.items() for name, accuracy in figures.items()],
)
def test_the_accuracies_that_river_publishes_come_out(kind, data, name, accuracy):
    *_, (learner, _) = served(Task(name="t", kind=kind, model=name), rows_of(kind, data))
    assert round(learner.champion.scoreboard.values()["accuracy"], 6) == accuracy


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        ("binary", "logistic", "phishing"),
        ("binary", "pa", "phishing"),
        ("binary", "ftrl", "bananas"),
        ("multiclass", "softmax", "image_segments"),
        ("regression", "linear", "trump_approval"),
    ],
)
def test_many_rows_at_once_are_predicted_as_by_river(kind, name, data):
    rows = rows_of(kind, data)[:1000]
    numeric = not any(isinstance(value, str) for x, _ in rows for value in x.values())
    prepare, model = (OURS.get((name, kind)) or RIVER[name])()
    metric = metrics.base.Metrics(list(river_metrics(kind).values()))
    local = evaluate.iter_progressive_val_score(rows, prepare(model, numeric), metric, step=1, yield_predictions=True)
    predicted = [
        effect
        for _, effects in folded(Task(name="t", kind=kind, model=name, predictions=True), rows)
        for effect in effects
        if isinstance(effect, Predicted) and effect.arm == "champion"
    ]
    assert [said(effect.prediction, kind) for effect in predicted] == [step["Prediction"] for step in local]


# Detectors of anomalies, which learn without labels. River has no score where ours are cold, and one that is not turned around.


class HalfSpaces:
    def __init__(self):
        self.model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(n_trees=25, seed=42)
        self.learn_one, self.count = self.model.learn_one, 0

    def score_one(self, x):
        self.count += 1
        return None if self.count <= 250 else self.model.score_one(x)


class OneClass:
    def __init__(self):
        waves = feature_extraction.RBFSampler(gamma=0.1, n_components=50, seed=42)
        svm = anomaly.OneClassSVM(optimizer=optim.SGD(0.001), intercept_lr=0.0)
        self.scaler, self.rest, self.mean = preprocessing.StandardScaler(), waves | svm, stats.Mean()

    def score_one(self, x):
        mean = self.mean.get()
        return mean / (mean + max(self.rest.score_one(self.scaler.transform_one(x)), 0.0)) if mean > 0.0 else None

    def learn_one(self, x):
        self.scaler.learn_one(x)
        scaled = self.scaler.transform_one(x)
        self.mean.update(self.rest.score_one(scaled))
        self.rest.learn_one(scaled)


class Beyond:
    def __init__(self):
        self.quantiles, self.count = {}, 0

    def learn_one(self, x):
        self.count += 1
        for name, value in x.items():
            for quantile in self.quantiles.setdefault(name, [stats.Quantile(q) for q in (1.0 - 0.99, 0.5, 0.99)]):
                quantile.update(value)

    def score_one(self, x):
        if self.count < 100:
            return None
        return max(self.of(value, *(quantile.get() for quantile in self.quantiles[name])) for name, value in x.items())

    def of(self, value, low, middle, high):
        usual, away = abs((high if value > middle else low) - middle), abs(value - middle)
        return away / (usual + away) if away else 0.0


class InSeason:
    def __init__(self):
        self.usual, self.count = {}, 0

    def learn_one(self, x):
        self.count += 1
        for name, value in x.items():
            self.usual.setdefault(name, preprocessing.StandardScaler()).learn_one({name: value})

    def score_one(self, x):
        if self.count < 10:
            return None
        return max(self.of(name, value, self.usual[name]) for name, value in x.items())

    def of(self, name, value, usual):
        away = abs(value - usual.means[name])
        return away / (away + 3.0 * usual.vars[name] ** 0.5) if away else 0.0


DETECTORS = {"half_space_trees": HalfSpaces, "one_class_svm": OneClass, "quantile": Beyond, "seasonal": InSeason}


@pytest.mark.parametrize("data", ["phishing", "bananas", "shuttle"])
@pytest.mark.parametrize("name", names_for("anomaly"))
def test_scores_equal_those_of_rivers_detectors(name, data):
    rows = rows_of("binary", data)[:LONGEST]
    model, scores = DETECTORS[name](), []
    task = Task(name="t", kind="anomaly", model=name, predictions=True)
    for number, ((learner, effects), (x, label)) in enumerate(zip(served(task, rows), rows, strict=True), 1):
        score = model.score_one(x)
        model.learn_one(x)
        (predicted,) = (effect for effect in effects if isinstance(effect, Predicted))
        assert (predicted.prediction and predicted.prediction.score) == score, number
        if score is not None:
            scores.append((label, score))
        board = learner.champion.scoreboard
    labels, answers = zip(*scores[-WINDOW:], strict=True)
    if len(set(labels)) == 2:
        window = board.values()["window"]
        assert window["roc_auc"] == pytest.approx(roc_auc_score(labels, answers), rel=1e-12)
    assert board.scored == len(scores) > len(rows) // 2


def test_a_model_of_other_settings_is_noticed():
    rows = rows_of("binary", "phishing")
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.0050001))
    local = evaluate.iter_progressive_val_score(rows, model, metrics.LogLoss(), step=1, yield_predictions=True)
    task = Task(name="t", kind="binary", model="logistic", predictions=True)
    same = [
        said(next(one for one in effects if isinstance(one, Predicted)).prediction, "binary") == step["Prediction"]
        for (_, effects), step in zip(served(task, rows), local, strict=True)
    ]
    assert same.index(False) < 5
