"""Each estimator of River works as a model of one's own, or is refused with a reason; the table in docs/how-to/models.md says which."""

import importlib
import inspect
import pkgutil
import re
import sys
from types import ModuleType

import harness
import pytest
import river
import users_models
import zoo
from river import (
    active,
    anomaly,
    base,
    cluster,
    compat,
    linear_model,
    misc,
    multioutput,
    reco,
    time_series,
    tree,
)
from sklearn.linear_model import SGDRegressor

from headrace.learning.arms import Arm
from headrace.learning.encoding.writer import Writer
from headrace.learning.errors import ModelError
from headrace.learning.fold.checks import examine
from headrace.learning.prediction import Prediction
from headrace.learning.task import Feature, Task

KINDS = {"text": "binary", "prices": "regression"}
NUMBERS = {"a": Feature(), "b": Feature(min=0, max=10), "c": Feature(type="int", min=0)}
WORDS = {
    "a": Feature(min=0, max=1), "b": Feature(min=0, max=1),
    "place": Feature(type="string", values=["x", "y", "z"]), "text": Feature(type="string"),
}  # fmt: skip


def classifier():
    return linear_model.LogisticRegression()


REFUSED = {
    "active.EntropySampler": ("binary", lambda: active.EntropySampler(classifier(), seed=1), "no number of 64 bits|holds river.active"),
    "anomaly.GaussianScorer": ("anomaly", anomaly.GaussianScorer, "scores a label beside its features"),
    "anomaly.StandardAbsoluteDeviation": ("anomaly", anomaly.StandardAbsoluteDeviation, "scores a label beside its features"),
    "anomaly.PredictiveAnomalyDetection": ("anomaly", anomaly.PredictiveAnomalyDetection, "scores a label beside its features"),
    "cluster.CluStream": ("multiclass", cluster.CluStream, "finds clusters"),
    "cluster.DBSTREAM": ("multiclass", cluster.DBSTREAM, "finds clusters"),
    "cluster.DenStream": ("multiclass", cluster.DenStream, "finds clusters"),
    "cluster.KMeans": ("multiclass", cluster.KMeans, "finds clusters"),
    "cluster.ODAC": ("multiclass", cluster.ODAC, "finds clusters"),
    "cluster.STREAMKMeans": ("multiclass", cluster.STREAMKMeans, "finds clusters"),
    "cluster.TextClust": ("multiclass", cluster.TextClust, "finds clusters"),
    "compat.SKL2RiverClassifier": ("binary", lambda: compat.SKL2RiverClassifier(SGDRegressor(), [False, True]), "whose class has a __getstate__ of its own"),
    "compat.SKL2RiverRegressor": ("regression", lambda: compat.SKL2RiverRegressor(SGDRegressor(random_state=1)), "whose class has a __getstate__ of its own"),
    "misc.ZstdClassifier": ("binary", misc.ZstdClassifier, "requires Python 3.14"),
    "multioutput.ClassifierChain": ("binary", lambda: multioutput.ClassifierChain(classifier()), "predicts several labels"),
    "multioutput.MonteCarloClassifierChain": ("binary", lambda: multioutput.MonteCarloClassifierChain(classifier()), "predicts several labels"),
    "multioutput.MultiClassEncoder": ("binary", lambda: multioutput.MultiClassEncoder(classifier()), "predicts several labels"),
    "multioutput.PerOutputClassifier": ("binary", lambda: multioutput.PerOutputClassifier(classifier()), "predicts several labels"),
    "multioutput.PerOutputRegressor": ("regression", lambda: multioutput.PerOutputRegressor(linear_model.LinearRegression()), "predicts several numbers"),
    "multioutput.ProbabilisticClassifierChain": ("binary", lambda: multioutput.ProbabilisticClassifierChain(classifier()), "predicts several labels"),
    "multioutput.RegressorChain": ("regression", lambda: multioutput.RegressorChain(linear_model.LinearRegression()), "predicts several numbers"),
    "reco.Baseline": ("regression", reco.Baseline, "Return a River regressor"),
    "reco.BiasedMF": ("regression", reco.BiasedMF, "Return a River regressor"),
    "reco.FunkMF": ("regression", reco.FunkMF, "Return a River regressor"),
    "reco.RandomNormal": ("regression", reco.RandomNormal, "Return a River regressor"),
    "time_series.HoltWinters": ("regression", lambda: time_series.HoltWinters(0.3), "goes by the labels alone"),
    "time_series.SNARIMAX": ("regression", lambda: time_series.SNARIMAX(1, 0, 1), "goes by the labels alone"),
    "tree.ISOUPTreeRegressor": ("regression", tree.ISOUPTreeRegressor, "predicts several numbers"),
}  # fmt: skip
"""Each estimator that no task can have, with how it is made, and why it is refused."""

WRAPPED = {"time_series.SNARIMAX", "anomaly.QuantileFilter", "anomaly.ThresholdFilter"}
"""Those that are part of a model that works, and are none alone."""

ASKING = ("predict_one", "predict_proba_one", "score_one", "forecast")


def public():
    """Every class of River that answers, by the module and name under which users import it."""
    found = {}
    for one in pkgutil.iter_modules(river.__path__, "river."):
        importlib.import_module(one.name)
    names = [name for name in sys.modules if name.startswith("river.")]
    for name in sorted(names, key=lambda name: (name.count("."), name)):
        area = name.removeprefix("river.")
        if area.partition(".")[0] in ("base", "utils", "metrics", "stats", "optim") or area.endswith(".base"):
            continue
        for short in getattr(sys.modules[name], "__all__", ()):
            kind = getattr(sys.modules[name], short, None)
            is_one = inspect.isclass(kind) and issubclass(kind, base.Base) and not inspect.isabstract(kind)
            if is_one and any(hasattr(kind, asked) for asked in ASKING):
                found.setdefault(kind, f"{area}.{short}")
    del found[river.compose.Pipeline]  # every other model of the zoo is one
    return {path: kind for kind, path in found.items()}


PUBLIC = public()


def classes_of(model):
    """The classes in a model."""
    writer = Writer()
    list(writer.frames(model))
    return {kind for kind, *_ in writer.shapes}


def first_with():
    """The first model of the zoo in which each class stands."""
    first = {}
    for name, (_, make) in zoo.MODELS.items():
        for kind in classes_of(make()):
            first.setdefault(kind, name)
    return {path: first[kind] for path, kind in PUBLIC.items() if kind in first}


FIRST = first_with()
LONE = sorted(set(FIRST.values()))


def examined(monkeypatch, kind, make):
    features = WORDS if kind in KINDS else NUMBERS
    monkeypatch.setattr(zoo, "make", make, raising=False)
    trial, findings = examine(Task(name="t", kind=KINDS.get(kind, kind), model="zoo:make", features=features))
    return trial, {finding.check: finding for finding in findings}


def test_every_estimator_of_river_works_or_is_refused():
    assert set(FIRST) | set(REFUSED) == set(PUBLIC)
    assert set(FIRST) & set(REFUSED) <= WRAPPED


@pytest.mark.parametrize("name", LONE)
def test_an_estimator_passes_all_checks_of_a_model(monkeypatch, name):
    kind, make = zoo.MODELS[name]
    trial, findings = examined(monkeypatch, kind, make)
    assert {check: finding.what for check, finding in findings.items() if finding.status == "fault"} == {}
    assert findings["rows"].status == "ok"
    assert trial.learner.champion.updates == 200


@pytest.mark.parametrize("path", REFUSED)
def test_what_no_task_can_have_is_refused_with_the_reason(monkeypatch, path):
    kind, make, why = REFUSED[path]
    try:
        _, findings = examined(monkeypatch, kind, make)
    except ModelError as error:
        said = str(error)
    else:
        said = " ".join(finding.what for finding in findings.values() if finding.status == "fault")
    assert re.search(why, said), said


def table_of(heading):
    """The names in the first column of the table below a heading of the document."""
    text = (harness.ROOT / "docs/how-to/models.md").read_text().partition(f"### {heading}\n")[2].partition("\n## ")[0]
    text = text.partition("\n### ")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}


def test_the_document_names_all_that_work_and_all_that_do_not():
    assert table_of("Which of River's estimators work") == set(FIRST) - {"time_series.SNARIMAX"}
    assert table_of("Which do not") == set(REFUSED)


def test_the_forecaster_of_the_document_works(monkeypatch):
    text = (harness.ROOT / "docs/how-to/models.md").read_text().partition("### A forecaster\n")[2]
    code = text.partition("```python\n")[2].partition("```")[0]
    module = ModuleType("forecasting")
    monkeypatch.setitem(sys.modules, "forecasting", module)
    exec(code, vars(module))
    _, findings = examine(Task(name="t", kind="regression", model="forecasting:NextValue", features=NUMBERS))
    assert [finding.what for finding in findings if finding.status == "fault"] == []


def test_a_classifier_that_only_votes_is_certain_of_what_it_predicts(monkeypatch):
    monkeypatch.setattr(users_models, "make", zoo.MODELS["voting"][1], raising=False)
    arm = Arm(Task(name="t", kind="binary", model="users_models:make"), role="champion")
    assert arm.predict({"a": 1.0}) is None
    for number in range(100):
        arm.learn({"a": float(number % 10)}, number % 10 > 4)
    assert arm.predict({"a": 9.0}) == Prediction(True, {True: 1.0})
