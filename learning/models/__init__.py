"""Models: the catalogue of names, and the function that builds a model."""

import importlib
from collections.abc import Callable
from typing import Any

from river import base

from headrace.learning.catalogue import KindCatalogue
from headrace.learning.errors import ModelError
from headrace.learning.features import Steps, steps_of
from headrace.learning.models.adaptive_forest import arf
from headrace.learning.models.alma import alma
from headrace.learning.models.bagging import bagging, bagging_regressor
from headrace.learning.models.baseline import majority, mean, no_change, no_change_regressor
from headrace.learning.models.committee import committee_binary, committee_multiclass, committee_regression
from headrace.learning.models.detecting import PreparedDetector
from headrace.learning.models.experts import experts_binary, experts_multiclass, experts_regression
from headrace.learning.models.ftrl import ftrl
from headrace.learning.models.half_space_trees import half_space_trees
from headrace.learning.models.hoeffding import efdt, hat, hoeffding_regressor, hoeffding_tree
from headrace.learning.models.linear import linear
from headrace.learning.models.logistic import logistic
from headrace.learning.models.mondrian import mondrian_forest, mondrian_regressor
from headrace.learning.models.naive_bayes import naive_bayes
from headrace.learning.models.one_class_svm import one_class_svm
from headrace.learning.models.online_linear import online_linear_classifier, online_linear_regressor
from headrace.learning.models.onnx import FROZEN, USE
from headrace.learning.models.passive_aggressive import pa
from headrace.learning.models.preparing import AsIs, Prepared, Stepped
from headrace.learning.models.quantile import quantile
from headrace.learning.models.random_patches import srp
from headrace.learning.models.seasonal import seasonal
from headrace.learning.models.softmax import softmax
from headrace.learning.near import nearest
from headrace.learning.parameters import build_with
from headrace.learning.plain import plain_failure
from headrace.learning.task import NEGATIVES, WEIGHTS, Kind, Value, is_weights, without_steps

Maker = Callable[..., Any]


def _for_classes(make: Maker) -> dict[Kind, Maker]:
    return {"binary": make, "multiclass": make}


MODELS: KindCatalogue[Maker] = KindCatalogue(
    "model",
    {
        "logistic": {"binary": logistic},
        "linear": {"regression": linear},
        "alma": {"binary": alma},
        "pa": {"binary": pa},
        "softmax": {"multiclass": softmax},
        "naive_bayes": _for_classes(naive_bayes),
        "hoeffding_tree": _for_classes(hoeffding_tree),
        "hat": _for_classes(hat),
        "mondrian_forest": _for_classes(mondrian_forest),
        "arf": _for_classes(arf),
        "hoeffding_regressor": {"regression": hoeffding_regressor},
        "mondrian_regressor": {"regression": mondrian_regressor},
        "no_change": {**_for_classes(no_change), "regression": no_change_regressor},
        "mean": {"regression": mean},
        "online_linear": {"binary": online_linear_classifier, "regression": online_linear_regressor},
        "majority": _for_classes(majority),
        "ftrl": {"binary": ftrl},
        "experts": {"binary": experts_binary, "multiclass": experts_multiclass, "regression": experts_regression},
        "efdt": _for_classes(efdt),
        "bagging": {**_for_classes(bagging), "regression": bagging_regressor},
        "srp": _for_classes(srp),
        "committee": {
            "binary": committee_binary,
            "multiclass": committee_multiclass,
            "regression": committee_regression,
        },
        "half_space_trees": {"anomaly": half_space_trees},
        "one_class_svm": {"anomaly": one_class_svm},
        "quantile": {"anomaly": quantile},
        "seasonal": {"anomaly": seasonal},
    },
)
"""Each model that a task may name, with the function that makes it for a kind of task."""


def names_for(kind: Kind) -> list[str]:
    """List the names of the models that fit a kind of task.

    Examples
    --------
    >>> names_for("regression")
    ['linear', 'hoeffding_regressor', 'mondrian_regressor', 'no_change', 'mean', 'online_linear', 'experts', 'bagging', 'committee']
    """
    return list(MODELS.of_kind(kind))


def build(spec: str | dict[str, Value], kind: Kind) -> Any:
    """Build a model.

    Parameters
    ----------
    spec
        A name of the catalogue; a table with the name as `use`, the model's parameters, and the steps of features; or `"module:function"`, a function that
        returns a River estimator.
    kind
        The kind of task.

    Raises
    ------
    ModelError
        There is no such model, it does not fit the kind of task, or a parameter is unknown or has a wrong value.

    Examples
    --------
    >>> build({"use": "logistic", "learning_rate": 0.05}, "binary").model.optimizer.learning_rate
    0.05
    >>> build("logstic", "binary")
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: there is no model 'logstic'. Did you mean 'logistic'?
    """
    parameters = (
        {} if isinstance(spec, str) else {name: one for name, one in without_steps(spec).items() if name != "use"}
    )
    name = spec if isinstance(spec, str) else spec.get("use")
    if not isinstance(name, str):
        raise ModelError("the model has no name.", f"Set use to one of {', '.join(names_for(kind))}.")
    make = _import(name) if ":" in name else FROZEN[kind] if name == USE and kind in FROZEN else _look_up(name, kind)
    model = build_with(f"the model '{name}'", make, parameters, ModelError)
    if ":" in name:
        _check_model(name, model, kind)
    if isinstance(spec, str):
        return model
    _check_shares(spec, kind)
    steps = steps_of(spec, kind)
    return model if steps is None else _with_steps(model, steps)


def _check_shares(spec: dict[str, Value], kind: Kind) -> None:
    """Raise ModelError unless the share of negatives that a model learns, or the weights of its classes, can be."""
    share = spec.get(NEGATIVES, 1.0)
    if NEGATIVES in spec and kind != "binary":
        raise ModelError(f"negatives is not for {kind} tasks.", "Leave it out.")
    if type(share) not in (int, float) or not 0 < float(share) <= 1:
        raise ModelError(f"negatives is {share!r}.", "It takes a share above 0 and up to 1.")
    if WEIGHTS not in spec:
        return
    if kind not in ("binary", "multiclass") or NEGATIVES in spec:
        what = "with negatives" if NEGATIVES in spec else f"for {kind} tasks"
        raise ModelError(f"weights is not {what}.", "Leave it out.")
    if not is_weights(spec[WEIGHTS]):
        remedy = "It takes 'balanced', or a JSON object of labels with numbers above 0 and up to 100."
        raise ModelError(f"weights is {str(spec[WEIGHTS])[:80]!r}.", remedy)


def _with_steps(model: Any, steps: Steps) -> Prepared | PreparedDetector:
    """Put the declared steps of the features before a model."""
    prepared = PreparedDetector if isinstance(model, base.AnomalyDetector) else Prepared
    if isinstance(model, Prepared | PreparedDetector):
        return prepared(Stepped(steps, model.step), model.model)
    return prepared(Stepped(steps, AsIs()), model)


def _look_up(name: str, kind: Kind) -> Maker:
    makers = MODELS.get(name)
    if makers is None:
        raise ModelError(*MODELS.describe_unknown(name, kind))
    if kind not in makers:
        raise ModelError(f"the model '{name}' is not for {kind} tasks.", f"Use one of {', '.join(names_for(kind))}.")
    return makers[kind]


def _import(name: str) -> Maker:
    module, _, function = name.partition(":")
    try:
        imported = importlib.import_module(module)
        make: Maker | None = getattr(imported, function, None)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if f"{module}.".startswith(f"{missing}."):
            remedy = f"Put {module.replace('.', '/')}.py beside headrace.toml, or install it."
        else:
            remedy = f"Install {missing}, which {module} imports."
        raise ModelError(f"the model '{name}' cannot be imported: {plain_failure(error)}.", remedy) from error
    except Exception as error:  # the module is the user's, and may raise what it likes
        what = f"the model '{name}' cannot be imported: {plain_failure(error)}."
        raise ModelError(what, "Correct the module or its name.") from error
    if make is None:
        known = [known for known, value in vars(imported).items() if callable(value) and not known.startswith("_")]
        remedy = nearest(function, known) or "Name a function that returns a River estimator."
        raise ModelError(f"the module '{module}' has no function '{function}'.", remedy)
    if not callable(make):
        raise ModelError(f"'{name}' is not a function.", "Name a function that returns a River estimator.")
    return make


WANTED: dict[Kind, tuple[type[base.Estimator], str]] = {
    "binary": (base.Classifier, "classifier"),
    "multiclass": (base.Classifier, "classifier"),
    "regression": (base.Regressor, "regressor"),
    "anomaly": (base.AnomalyDetector, "anomaly detector"),
}
"""What a user's function must return for each kind of task."""


UNFIT: dict[type[base.Base], str] = {
    base.SupervisedAnomalyDetector: "It scores a label beside its features, and a question has no label: return a detector that scores records.",
    base.AnomalyFilter: "It keeps records from a model: put it before a classifier, in a pipeline; or return the detector that it goes by.",
    base.MultiLabelClassifier: "It predicts several labels at once: make a task for each.",
    base.MultiTargetRegressor: "It predicts several numbers at once: make a task for each.",
    base.Clusterer: "It finds clusters, and learns no labels.",
}
"""Estimators of River that no task can have, and why. Some of them are regressors or detectors by their class."""


def _check_model(name: str, model: Any, kind: Kind) -> None:
    """Raise ModelError unless a user's function returned a model for this kind of task."""
    wanted, noun = WANTED[kind]
    why = next((why for other, why in UNFIT.items() if isinstance(model, other)), None)
    if hasattr(getattr(model, "_last_step", model), "forecast"):  # to import the class takes a second
        why = 'It goes by the labels alone: wrap it; see "A forecaster" in docs/how-to/models.md.'
    if not isinstance(model, wanted) or why is not None:
        remedy = why or f"Return a River {noun}, alone or at the end of a pipeline."
        raise ModelError(f"'{name}' gave a {type(model).__name__}, which is not for {kind} tasks.", remedy)
    if kind == "multiclass" and isinstance(model, base.Classifier) and not model._multiclass:  # noqa: SLF001
        remedy = "Wrap it in river.multiclass.OneVsRestClassifier."
        raise ModelError(f"'{name}' gave a {type(model).__name__}, which knows two classes only.", remedy)
