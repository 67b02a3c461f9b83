"""Compares a model that was read with one that was just built: the writer of its bytes may have put in anything."""

import inspect
from functools import cache
from typing import Any

from river.base import Base

OPEN = "river.", "headrace."
"""The packages into whose classes it looks: what else is in a model of the user's own is the user's affair."""

CHANGING = {("RandomPatches", "training_method"): ("patches", "resampling")}
"""The texts that a class puts in the place of a parameter: with few features, River's random patches only resample."""


def check_like(model: Any, fresh: Any, depth: int = 20) -> None:
    """Compare the classes of a model's parts, and the texts among their parameters: one may be a pattern that takes for ever.

    Raises
    ------
    ValueError
        A part is of another class, or a text is another one.

    Examples
    --------
    >>> from river.linear_model import LinearRegression, LogisticRegression
    >>> check_like(LogisticRegression(), LogisticRegression())
    >>> check_like(LogisticRegression(), LinearRegression())
    Traceback (most recent call last):
    ...
    ValueError: there is a LogisticRegression in the place of a LinearRegression
    """
    if type(model) is not type(fresh):
        raise ValueError(f"there is a {type(model).__name__} in the place of a {type(fresh).__name__}")
    if not type(fresh).__module__.startswith(OPEN) or not depth:
        return
    kind: type = type(fresh)
    for name in _parameters(kind):
        given, wanted = getattr(model, name, None), getattr(fresh, name, None)
        if isinstance(wanted, Base):
            check_like(given, wanted, depth - 1)
        elif isinstance(wanted, dict | list):
            _check_parts(given, wanted, f"{type(fresh).__name__}.{name}", depth)
        # River's forest puts a number in the place of a text; a text in the place of anything else is nobody's.
        elif isinstance(given, str) and given != wanted and given not in CHANGING.get((type(fresh).__name__, name), ()):
            raise ValueError(f"{type(fresh).__name__}.{name} is another text")
    if isinstance(steps := getattr(fresh, "steps", None), dict):
        for name, step in steps.items():
            if isinstance(step, Base):
                check_like(model.steps.get(name), step, depth - 1)


def _check_parts(given: Any, wanted: dict[str, Any] | list[Any], place: str, depth: int) -> None:
    """Compare the estimators in a dict or a list, such as the steps of features, or the members of a committee."""
    keys = wanted.keys() if isinstance(wanted, dict) else range(len(wanted))
    parts = {key: wanted[key] for key in keys if isinstance(wanted[key], Base)}  # type: ignore[index]
    if parts and (type(given) is not type(wanted) or len(given) != len(wanted)):
        raise ValueError(f"{place} has other parts")
    for key, part in parts.items():
        check_like(given.get(key) if isinstance(given, dict) else given[key], part, depth - 1)


@cache
def _parameters(kind: type) -> tuple[str, ...]:
    """The names of what a class takes."""
    return tuple(inspect.signature(kind).parameters)
