"""Features: what becomes of each feature of a record before a model sees it, as a task declares it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from headrace.learning.catalogue import Catalogue
from headrace.learning.errors import ModelError
from headrace.learning.features.binned import Binned
from headrace.learning.features.clipped import Clipped
from headrace.learning.features.date import Date
from headrace.learning.features.frequency import Frequency
from headrace.learning.features.hashed import Hashed
from headrace.learning.features.items import Items
from headrace.learning.features.log_scale import Log
from headrace.learning.features.missing import Fill, Indicator, LastOf, Mean
from headrace.learning.features.one_hot import OneHot
from headrace.learning.features.since import Since
from headrace.learning.features.step import Features, Step
from headrace.learning.features.steps import Steps
from headrace.learning.features.target import Target
from headrace.learning.features.text import Text
from headrace.learning.parameters import build_with
from headrace.learning.plain import plain
from headrace.learning.task import CROSSES, FEATURE, MISSING, Kind, Making, Value

__all__ = ["FEATURES", "FILLS", "Features", "Fill", "Step", "Steps", "steps_of"]

T = TypeVar("T")
R = TypeVar("R")

FEATURES: Catalogue[Callable[..., Step]] = Catalogue(
    "feature step",
    {
        "log": Log,
        "clipped": Clipped,
        "binned": Binned,
        "one_hot": OneHot,
        "hashed": Hashed,
        "target": Target,
        "frequency": Frequency,
        "text": Text,
        "list": Items,
        "date": Date,
        "since": Since,
    },
)
"""Each step that a feature may declare."""

FILLS: Catalogue[Callable[..., Fill]] = Catalogue(
    "way to fill in", {"indicator": Indicator, "mean": Mean, "last": LastOf}
)
"""Each way to stand in for a missing value that a feature may declare."""


def steps_of(spec: Mapping[str, Value], kind: Kind = "binary") -> Steps | None:
    """Make the steps that stand in what a model of a kind of task is made of; None if there are none.

    Raises
    ------
    ModelError
        There is no such step, it is not for this kind of task, or a parameter is unknown or has a wrong value.

    Examples
    --------
    >>> steps_of({"use": "logistic", "feature.price": "log"}).transform({"price": 0.0, "age": 3.0})
    ({'price': 0.0, 'age': 3.0}, {})
    >>> steps_of({"use": "logistic", "feature.price": "logg"})
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: feature 'price': there is no feature step 'logg'. Did you mean 'log'?
    """
    steps: dict[str, Step] = {}
    fills: dict[str, Fill] = {}
    crosses: list[tuple[str, ...]] = []
    for key, value in spec.items():
        if key.startswith(FEATURE):
            name = key.removeprefix(FEATURE)
            step = steps[name] = _make(name, FEATURES, value)
            if step.kinds is not None and kind not in step.kinds:
                what = f"feature '{name}': its step is not for {kind} tasks, as it needs labels that are numbers or true and false."
                raise ModelError(what, "Leave it out, or use hashed or one_hot.")
        elif key.startswith(MISSING):
            name = key.removeprefix(MISSING)
            fills[name] = _make(name, FILLS, value)
        elif key == CROSSES:
            crosses = _read(key, value, list[tuple[str, ...]])
    return Steps(steps, fills, tuple(crosses)) if steps or fills or crosses else None


def _make(name: str, table: Catalogue[Callable[..., T]], value: Value) -> T:
    """Make what the text of a feature's step says."""
    making: Making = _read(name, value, dict[str, Value]) if str(value).startswith("{") else str(value)
    use = making if isinstance(making, str) else making.get("use")
    if use not in table:
        what, remedy = table.describe_unknown(str(use))
        raise ModelError(f"feature '{name}': {what}", remedy)
    parameters = {} if isinstance(making, str) else {key: one for key, one in making.items() if key != "use"}
    return build_with(f"feature '{name}': the step '{use}'", table[str(use)], parameters, ModelError)


def _read(name: str, value: Value, wanted: type[R]) -> R:
    try:
        return msgspec.json.decode(str(value), type=wanted)
    except msgspec.MsgspecError as error:
        raise ModelError(f"feature '{name}': {plain(error)}.", "Declare it under [tasks.NAME.features].") from None
