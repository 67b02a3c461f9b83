"""A step: makes one feature of a record into what a model takes."""

from abc import abstractmethod
from typing import ClassVar

from river import base

from headrace.learning.task import Label, Value

Features = dict[str, Value]
"""The features of a record: numbers, booleans and strings."""


class Step(base.Transformer):
    """Makes one feature into others. What it has learned changes only in `learn`, never when it transforms.

    Attributes
    ----------
    takes
        The types of features that it takes, as in `Feature.type`.
    kinds
        The kinds of tasks that it is for; None: any.
    is_ready
        Whether what it gives are numbers for the model as they are. Otherwise they go the way of plain features: numbers are scaled for linear
        models, and strings get a column for each value.
    """

    takes: ClassVar[frozenset[str]] = frozenset(["float", "int", "bool", "string"])
    kinds: ClassVar[frozenset[str] | None] = None
    is_ready: ClassVar[bool] = False

    @abstractmethod
    def transform(self, name: str, value: Value, x: Features) -> Features:
        """Return what becomes of a value of the feature `name` in a record with the features `x`."""

    def learn(self, value: Value, x: Features, y: Label | None) -> None:
        """Learn from a value in a record with the features `x` and the label `y`. Most steps learn nothing."""

    def transform_one(self, x: Features) -> Features:
        """Transform every feature of a record, as River's transformers do."""
        made: Features = {}
        for name, value in x.items():
            made |= self.transform(name, value, x)
        return made


NUMBERS = frozenset(["float", "int"])
"""The types of numbers."""

STRINGS = frozenset(["string"])
"""The type of strings."""
