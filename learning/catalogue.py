"""A catalogue: a table of names, from which settings and records choose what is to be done."""

import difflib
from collections.abc import Mapping
from typing import TypeVar

from headrace.learning.task import Kind

T = TypeVar("T")


class Catalogue(dict[str, T]):
    """A dict from each name that a user may write to the thing that the name stands for.

    A new model, metric, detector or command takes one module and one row of its catalogue. The order of the rows is the order
    in which the names are shown, and may be part of a state: put a new row last.

    Parameters
    ----------
    noun
        What the names are names of, for messages: `model`.
    rows
        Name to thing.

    Examples
    --------
    >>> fruits = Catalogue("fruit", {"apple": "red", "lemon": "yellow"})
    >>> fruits["apple"], list(fruits)
    ('red', ['apple', 'lemon'])
    >>> fruits.describe_unknown("aple")
    ("there is no fruit 'aple'.", "Did you mean 'apple'?")
    >>> fruits.describe_unknown("nut")
    ("there is no fruit 'nut'.", 'There are apple, lemon.')
    """

    def __init__(self, noun: str, rows: Mapping[str, T]):
        super().__init__(rows)
        self.noun = noun

    def describe_unknown(self, name: str) -> tuple[str, str]:
        """Say that there is no such name, and which name to write instead: cause and remedy of an error."""
        return f"there is no {self.noun} '{name}'.", self._suggest(name) or f"There are {', '.join(self)}."

    def _suggest(self, name: str) -> str | None:
        near = difflib.get_close_matches(name, self, 1)
        return f"Did you mean '{near[0]}'?" if near else None


class KindCatalogue(Catalogue[Mapping[Kind, T]]):
    """A catalogue of things that fit some kinds of tasks only, or differ from kind to kind.

    Examples
    --------
    >>> shapes = KindCatalogue("shape", {"disc": {"binary": "a disc", "regression": "a cone"}, "line": {"regression": "a line"}})
    >>> shapes.of_kind("regression")
    {'disc': 'a cone', 'line': 'a line'}
    >>> shapes.of_kind("binary")
    {'disc': 'a disc'}
    >>> shapes.describe_unknown("box", "binary")
    ("there is no shape 'box'.", 'There are disc.')
    """

    def of_kind(self, kind: Kind) -> dict[str, T]:
        """Choose the rows that fit a kind of task, in their order."""
        return {name: things[kind] for name, things in self.items() if kind in things}

    def describe_unknown(self, name: str, kind: Kind | None = None) -> tuple[str, str]:
        """Say that there is no such name, and which name to write instead; those that fit a kind, if one is given."""
        what, remedy = super().describe_unknown(name)
        if kind is None or self._suggest(name):
            return what, remedy
        return what, f"There are {', '.join(self.of_kind(kind))}."
