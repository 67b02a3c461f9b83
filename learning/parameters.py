"""Parameters of models, detectors and reactions: their ranges, and how something is built with those that a user has written."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from headrace.learning.errors import HeadraceError
from headrace.learning.near import nearest
from headrace.learning.plain import plain, plain_failure

Made = TypeVar("Made")

# The upper ends exclude infinity, and values that nobody can mean.
Positive = Annotated[float, Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, lt=1)]
PositiveShare = Annotated[float, Meta(gt=0, le=1)]
Level = Annotated[float, Meta(gt=0, lt=1)]
"""A significance level."""
Count = Annotated[int, Meta(ge=1, le=10**9)]
Passes = Annotated[int, Meta(ge=1, le=100)]
Trees = Annotated[int, Meta(ge=1, le=1_000)]
SeveralTrees = Annotated[int, Meta(ge=2, le=1_000)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Window = Annotated[int, Meta(ge=10, le=100_000)]
"""The number of values in a window that a state holds."""


def check_parameters(
    what: str, make: Callable[..., Any], parameters: Mapping[str, Any], error: type[HeadraceError]
) -> dict[str, Any]:
    """Convert parameters to the types that a function declares; a parameter without a declared type is not checked.

    Parameters
    ----------
    what
        What the parameters are of, for messages: `the model 'arf'`.
    make
        The function or class that takes the parameters.
    parameters
        The given values by name.
    error
        The class of the error to raise.

    Raises
    ------
    HeadraceError
        An `error`: there is no such parameter, or its value is of another type or outside its range.

    Examples
    --------
    >>> from headrace.learning.errors import ModelError
    >>> def make(trees: Trees = 10): ...
    >>> check_parameters("the model 'wood'", make, {"trees": 0}, ModelError)
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: the model 'wood': trees is 0. It takes a whole number from 1.
    """
    try:
        known = inspect.signature(make, eval_str=True).parameters
    except (NameError, TypeError, ValueError):
        return dict(parameters)  # a user's function without a signature that can be read
    checked: dict[str, Any] = {}
    for parameter, value in parameters.items():
        if parameter not in known:
            if any(other.kind is inspect.Parameter.VAR_KEYWORD for other in known.values()):
                checked[parameter] = value
                continue
            remedy = nearest(parameter, known) or f"It takes {', '.join(known) or 'none'}."
            raise error(f"{what} has no parameter '{parameter}'.", remedy)
        wanted = known[parameter].annotation
        try:
            checked[parameter] = msgspec.convert(value, Any if wanted is inspect.Parameter.empty else wanted)
        except msgspec.ValidationError as invalid:
            remedy = plain(str(invalid).partition(", got")[0].replace("Expected", "It takes")) + "."
            raise error(f"{what}: {parameter} is {value!r}.", remedy) from None
        except TypeError:  # a user's function may declare a type that only River knows
            checked[parameter] = value
    return checked


def build_with(what: str, make: Callable[..., Made], parameters: Mapping[str, Any], error: type[HeadraceError]) -> Made:
    """Call a class or a function with parameters that a user has written, converted to the types that it declares.

    Parameters
    ----------
    what
        What is built, for messages: `the model 'alma'`.
    make
        What is called. A parameter without a declared type is not checked.
    parameters
        The parameters by name.
    error
        The error to raise.

    Raises
    ------
    HeadraceError
        The given error: a parameter is unknown or has a wrong value, or nothing can be built with them.

    Examples
    --------
    >>> from headrace.learning.errors import ModelError
    >>> def halve(share: Share = 1.0) -> float:
    ...     return share / 2
    >>> build_with("the half", halve, {"share": 0.5}, ModelError)
    0.25
    >>> build_with("the half", halve, {"shar": 0.5}, ModelError)
    Traceback (most recent call last):
    ...
    headrace.learning.errors.ModelError: the half has no parameter 'shar'. Did you mean 'share'?
    """
    checked = check_parameters(what, make, parameters, error)
    try:
        return make(**checked)
    except Exception as cause:
        raise error(f"{what} cannot be built: {plain_failure(cause)}.", "Correct its parameters.") from cause
