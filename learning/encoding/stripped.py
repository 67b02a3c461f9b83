"""Classes with attributes that are not part of the state, and are left out of an encoding."""

import random
from collections.abc import Callable
from typing import Any, NamedTuple

from river.compose import Pipeline
from river.proba.base import Distribution

GENERATOR = random.Random(0)
"""The generator that all distributions share after reading. Each of River's distributions has a generator of 2.5 KB, which only `sample()`
uses and no model calls. It would be nine tenths of a tree's encoding."""


class Stripped(NamedTuple):
    """The way in which the objects of a class are written without some attributes, and completed after reading.

    Parameters
    ----------
    take
        A function that returns the attributes of an object that are part of the state.
    complete
        A function that sets the other attributes of an object after it was read.
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
    # A pipeline caches, at its first use, how it is used.
    attributes: dict[str, Any] = value.__dict__
    return attributes | {"_plan": None, "_inference_transformers": ()}


STRIPPED: dict[type[Any], Stripped] = {
    Distribution: Stripped(_take_distribution, _complete_distribution),
    Pipeline: Stripped(_take_pipeline, lambda _: None),
}
"""Each base class whose subclasses are written without some attributes."""
