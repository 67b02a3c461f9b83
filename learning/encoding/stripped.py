"""Classes some of whose attributes are no state, and are left out of an encoding."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from river.compose import Pipeline
from river.proba.base import Distribution

GENERATOR = random.Random(0)
"""What every distribution that was read shares. River's distributions carry a generator of 2.5 KB each, which they use for `sample()`
alone, and no model calls that: it would be nine tenths of a tree."""


class Stripped(NamedTuple):
    """How the objects of a class are written and read.

    Parameters
    ----------
    take
        An object's attributes, without those that are no state.
    complete
        Puts into an object that was read what it was written without.
    """

    take: Callable[[Any], dict[str, Any]]
    complete: Callable[[Any], None]


def _take_distribution(value: Distribution) -> dict[str, Any]:
    attributes: dict[str, Any] = value.__dict__
    if value.seed is not None:
        return attributes
    return {name: attribute for name, attribute in attributes.items() if name != "_rng"}


def _complete_distribution(value: Distribution) -> None:
    value.__dict__.setdefault("_rng", GENERATOR)


def _take_pipeline(value: Pipeline) -> dict[str, Any]:
    # A pipeline notes on its first use how it will be used.
    attributes: dict[str, Any] = value.__dict__
    return attributes | {"_plan": None, "_inference_transformers": ()}


STRIPPED: dict[type[Any], Stripped] = {
    Distribution: Stripped(_take_distribution, _complete_distribution),
    Pipeline: Stripped(_take_pipeline, lambda _: None),
}
"""By a base of theirs."""
