"""A catalogue: a table of the names that a user may write in settings or records."""

from collections.abc import Mapping
from typing import TypeVar

from headrace.learning.near import nearest
from headrace.learning.task import Kind

T = TypeVar("T")


class Catalogue(dict[str, T]):
    """A dict from each name that a user may write to the thing that the name stands for.

    To add a model, metric, detector or command, write one module and add one row to its catalogue. Put the new row last: names are
    shown in the order of the rows, and the order of the metrics' tallies is part of the state.

    Parameters
    ----------
    noun
        The noun for messages, such as `model`.
    rows
        Each name with the thing that it stands for.

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
        """Return the cause and the remedy of an error about an unknown name."""
        return f"there is no {self.noun} '{name}'.", self._suggest(name) or f"There are {', '.join(self)}."

    def _suggest(self, name: str) -> str:
        return nearest(name, self)


class KindCatalogue(Catalogue[Mapping[Kind, T]]):
    """A catalogue whose things differ from one kind of task to another, or exist for some kinds only.

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
        """Return the rows that fit a kind of task, in their order."""
        return {name: things[kind] for name, things in self.items() if kind in things}

    def describe_unknown(self, name: str, kind: Kind | None = None) -> tuple[str, str]:
        """Return the cause and the remedy of an error about an unknown name; the remedy lists the names that fit `kind`, if given."""
        what, remedy = super().describe_unknown(name)
        if kind is None or self._suggest(name):
            return what, remedy
        return what, f"There are {', '.join(self.of_kind(kind))}."
