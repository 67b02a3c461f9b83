"""The catalogue: names of models, and how they are built."""

import difflib
import importlib
import inspect
from collections.abc import Callable
from typing import Any

import msgspec

from learning.errors import ModelError
from learning.models.adaptive_forest import arf
from learning.models.alma import alma
from learning.models.baseline import mean, no_change
from learning.models.hoeffding import hat, hoeffding_regressor, hoeffding_tree
from learning.models.linear import linear
from learning.models.logistic import logistic
from learning.models.mondrian import mondrian_forest, mondrian_regressor
from learning.models.naive_bayes import naive_bayes
from learning.models.online_linear import online_linear_classifier, online_linear_regressor
from learning.models.passive_aggressive import pa
from learning.models.softmax import softmax
from learning.task import Kind, Value

Maker = Callable[..., Any]


def _for_classes(make: Maker) -> dict[Kind, Maker]:
    return {"binary": make, "multiclass": make}


CATALOGUE: dict[str, dict[Kind, Maker]] = {
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
    "no_change": _for_classes(no_change),
    "mean": {"regression": mean},
    "online_linear": {"binary": online_linear_classifier, "regression": online_linear_regressor},
}


def names_for(kind: Kind) -> list[str]:
    """The names of the models that fit a kind of task.

    Examples
    --------
    >>> names_for("regression")
    ['linear', 'hoeffding_regressor', 'mondrian_regressor', 'mean', 'online_linear']
    """
    return [name for name, makers in CATALOGUE.items() if kind in makers]


def build(spec: str | dict[str, Value], kind: Kind) -> Any:
    """Build a model.

    Parameters
    ----------
    spec
        A name of the catalogue; a table with `use`, a name, and that model's parameters; or `"module:function"`, a function
        that gives a River estimator.
    kind
        What it has to predict.

    Raises
    ------
    ModelError
        There is no such model, it does not fit the kind, or its parameters are not what it takes.

    Examples
    --------
    >>> build({"use": "logistic", "learning_rate": 0.05}, "binary").model.optimizer.learning_rate
    0.05
    >>> build("logstic", "binary")
    Traceback (most recent call last):
    ...
    learning.errors.ModelError: there is no model 'logstic'. Did you mean 'logistic'?
    """
    parameters = {} if isinstance(spec, str) else {name: value for name, value in spec.items() if name != "use"}
    name = spec if isinstance(spec, str) else spec.get("use")
    if not isinstance(name, str):
        raise ModelError("the model has no name.", f"Set use to one of {', '.join(names_for(kind))}.")
    make = _imported(name) if ":" in name else _catalogued(name, kind)
    _check_parameters(name, make, parameters)
    try:
        return make(**parameters)
    except Exception as error:
        raise ModelError(f"the model '{name}' cannot be built: {error}.", "Correct its parameters.") from error


def _catalogued(name: str, kind: Kind) -> Maker:
    makers = CATALOGUE.get(name)
    if makers is None:
        near = difflib.get_close_matches(name, CATALOGUE, 1)
        remedy = f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(names_for(kind))}."
        raise ModelError(f"there is no model '{name}'.", remedy)
    if kind not in makers:
        raise ModelError(f"the model '{name}' is not for {kind} tasks.", f"Use one of {', '.join(names_for(kind))}.")
    return makers[kind]


def _imported(name: str) -> Maker:
    module, _, function = name.partition(":")
    try:
        make: Maker = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ModelError(
            f"the model '{name}' cannot be imported: {error}.", "Install it, or run where it lies."
        ) from error
    return make


def _check_parameters(name: str, make: Maker, parameters: dict[str, Value]) -> None:
    known = inspect.signature(make).parameters
    for parameter, value in parameters.items():
        if parameter not in known:
            near = difflib.get_close_matches(parameter, known, 1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"It takes {', '.join(known) or 'none'}."
            raise ModelError(f"the model '{name}' has no parameter '{parameter}'.", remedy)
        try:
            msgspec.convert(value, known[parameter].annotation)
        except (msgspec.ValidationError, TypeError):
            wanted = getattr(known[parameter].annotation, "__name__", known[parameter].annotation)
            raise ModelError(
                f"the model '{name}': {parameter} is {value!r}.", f"It takes a value of type {wanted}."
            ) from None
