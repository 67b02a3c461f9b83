"""The declared features of a task, and what becomes of them before a model sees them, as part of what the model is made of."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Value = bool | int | float | str

Making = str | dict[str, Value]
"""A name of a table, or a table with the name as `use` and parameters."""

CROSSES_MAX = 20

Cross = Annotated[
    list[Annotated[str, msgspec.Meta(min_length=1, max_length=256)]], msgspec.Meta(min_length=2, max_length=3)
]

FEATURE, MISSING, CROSSES, NEGATIVES, WEIGHTS = "feature.", "missing.", "crosses", "negatives", "weights"
"""The keys that a model's making has for what is done to records before it learns them: the first two are followed by the name of a feature. No
parameter of a model has such a name."""


class Feature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The declared type and range of one feature, and what becomes of it before a model sees it.

    Parameters
    ----------
    type
        `"float"` accepts any number.
    min
        The smallest value of a `"float"` or `"int"` that is accepted.
    max
        The largest value that is accepted.
    values
        The strings that are accepted. Left out: any string.
    optional
        Whether a record may leave the feature out.
    step
        What it becomes: a step such as `"log"` or `"text"`, or a table with the step as `use` and its parameters. Left out: numbers are scaled
        for linear models, and each value of a string has a column, up to 1,000 of them.
    missing
        What stands in if a record leaves it out: `"indicator"`, `"mean"`, or `{use = "last", by = FEATURE}`. Left out: nothing.
    """

    type: Literal["float", "int", "bool", "string"] = "float"
    min: float | None = None
    max: float | None = None
    values: list[str] | None = None
    optional: bool = False
    step: Making | None = None
    missing: Making | None = None

    @property
    def is_date(self) -> bool:
        """Whether it is a time in seconds since 1970, by its step."""
        return _parts(self.step).get("use") == "date"


def with_steps(
    model: Making,
    features: Mapping[str, Feature],
    crosses: list[list[str]],
    negatives: float | None = None,
    weights: str | Mapping[str, float] | None = None,
) -> Making:
    """Say what a model is made of, together with the steps of the features that it gets, and how much it learns of each class.

    Examples
    --------
    >>> with_steps("logistic", {"price": Feature(step="log"), "age": Feature()}, [])
    {'use': 'logistic', 'feature.price': 'log'}
    """
    table: dict[str, Value] = {"use": model} if isinstance(model, str) else without_steps(model)
    for name, feature in features.items():
        for prefix, making in ((FEATURE, feature.step), (MISSING, feature.missing)):
            if making is not None:
                table[prefix + name] = making if isinstance(making, str) else _text(making)
    if crosses:
        table[CROSSES] = _text(crosses)
    if negatives is not None:
        table[NEGATIVES] = negatives
    if weights is not None:
        table[WEIGHTS] = weights if isinstance(weights, str) else _text(weights)
    return table


DERIVED = {"date": ("hour", "weekday", "month"), "since": ("since", "first")}
"""What is put behind the name of a feature, after a dot, by the steps that make several of one."""


def find_clash(features: Mapping[str, Feature] | None, crosses: list[list[str]]) -> str | None:
    """Say why steps and crosses cannot be: two features would have one name, or one that is named is not declared.

    Examples
    --------
    >>> find_clash({"at": Feature(step="date"), "at.hour": Feature()}, [])
    "the step of 'at' makes the feature 'at.hour', and there is one already"
    >>> find_clash(None, [["a", "a"]])
    "crosses names 'a' twice in one"
    """
    named = dict.fromkeys(features or {})
    for name, feature in (features or {}).items():
        step, missing = _parts(feature.step), _parts(feature.missing)
        derived = [f"{name}.{word}" for word in DERIVED.get(str(step.get("use")), ())]
        derived += [f"{name}.missing"] if missing.get("use") == "indicator" else []
        for one in derived:
            if one in named:
                return f"the step of '{name}' makes the feature '{one}', and there is one already"
            named[one] = None
        for by in (step.get("by"), missing.get("by")):
            if by is not None and by not in (features or {}):
                return f"feature '{name}' goes by '{by}', which is not declared"
    for cross in crosses:
        twice = next((name for name in cross if cross.count(name) > 1), None)
        if twice is not None:
            return f"crosses names '{twice}' twice in one"
        unknown = next((name for name in cross if features is not None and name not in features), None)
        if unknown is not None:
            return f"crosses names '{unknown}', which is not declared"
        if (one := "*".join(cross)) in named:
            return f"crosses makes the feature '{one}', and there is one already"
        named[one] = None
    return None


def _parts(making: Making | None) -> Mapping[str, Value]:
    return {"use": making} if isinstance(making, str) else making or {}


def plain_model(model: Making) -> Making:
    """Take the steps of features out of what a model is made of, as a definition says it: its features have them.

    Examples
    --------
    >>> plain_model({"use": "logistic", "feature.price": "log"}), plain_model({"use": "pa", "c": 0.1})
    ('logistic', {'use': 'pa', 'c': 0.1})
    """
    if isinstance(model, str) or (table := without_steps(model)) == model:
        return model
    return str(table["use"]) if table.keys() == {"use"} else table


def without_steps(table: Mapping[str, Value]) -> dict[str, Value]:
    """Leave the steps of features out of what a model is made of.

    Examples
    --------
    >>> without_steps({"use": "logistic", "learning_rate": 0.1, "feature.price": "log"})
    {'use': 'logistic', 'learning_rate': 0.1}
    """
    return {
        name: value
        for name, value in table.items()
        if not name.startswith((FEATURE, MISSING)) and name not in (CROSSES, NEGATIVES, WEIGHTS)
    }


def _text(making: object) -> str:
    return msgspec.json.encode(making, order="deterministic").decode()
